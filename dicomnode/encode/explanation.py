"""Why a learned method fused as it did, as Parametric Maps: each map an instance of one series."""

from collections.abc import Mapping
from types import MappingProxyType

from pydicom.uid import ParametricMapStorage

from fusion.display import Window
from fusion.quality.explanation import Explanation
from fusion.volume import Unit, Volume

from .derived_series import finish, identify
from .geometry import require_orthogonal
from .inputs import EncodedSeries, EncodeInputs
from .parametric_map import MapContent, map_instance

KIND = "explanation"
SERIES_OFFSET = 0
MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "saliency": "How much the fused slice moves with a voxel",
        "class_activation": "Features that carried the fused slice",
        "relevance": "Share of a voxel in the fused slice",
        "attention": "How much a place was looked at, 1 as all",
    }
)


def explanation(inputs: EncodeInputs) -> tuple[EncodedSeries, ...]:
    """A series of float32 maps on the fixed grid; no series where the method has no explanation.

    Raises `EncodeError` for a sheared fixed grid or sources that no map can name.
    """
    maps = inputs.moving.explanations
    if not maps:
        return ()
    require_orthogonal(inputs.fixed.grid)
    what = f"explanation of {inputs.pair}"
    identity = identify(inputs, KIND, SERIES_OFFSET, "OT", ParametricMapStorage, what)
    instances = [map_instance(inputs, identity, _content(inputs, one, what), index) for index, one in enumerate(maps)]
    return (finish(identity, instances),)


def map_of(one: Explanation) -> Volume:
    """The map as a volume, on the CPU."""
    return Volume(one.voxels.to("cpu"), one.grid, Unit.ARBITRARY, "OT")


def source_of(one: Explanation, fixed: str, moved: str) -> str:
    """The modality that a map tells about."""
    return {"fixed": fixed, "moved": moved}.get(one.of, f"{fixed} and {moved}")


def _content(inputs: EncodeInputs, one: Explanation, what: str) -> MapContent:
    source = source_of(one, inputs.fixed.modality, inputs.moving.volume.modality)
    lowest, highest = float(one.voxels.min()), float(one.voxels.max())
    return MapContent(
        KIND,
        SERIES_OFFSET,
        map_of(one),
        what,
        one.kind.upper(),
        f"{one.kind.replace('_', ' ')}, {source}",
        (Unit.ARBITRARY.value, "no units"),
        None,
        f"{MEANINGS[one.kind]}: {source}",
        Window(lowest, highest if highest > lowest else lowest + 1),
    )
