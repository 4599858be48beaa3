"""Which source each fused voxel came from, as a Parametric Map: the share of the fixed image."""

from dataclasses import replace

from fusion.display import Window
from fusion.volume import Unit, Volume

from .inputs import EncodedSeries, EncodeInputs
from .parametric_map import MapContent, map_series

KIND = "contribution"
SERIES_OFFSET = 9
COMMENT = "Share of the fixed image in each fused voxel"


def contribution(inputs: EncodeInputs) -> tuple[EncodedSeries, ...]:
    """One float32 map in 0…1 on the fixed grid; no series where the method does not mix voxel by voxel.

    Raises `EncodeError` for a sheared fixed grid or sources that no map can name.
    """
    volume = share_of_fixed(inputs)
    if volume is None:
        return ()
    content = MapContent(
        KIND,
        SERIES_OFFSET,
        volume,
        f"contribution of {inputs.fixed.modality} to {inputs.pair}",
        "CONTRIBUTION",
        "Share of the fixed image",
        (Unit.ARBITRARY.value, "no units"),
        None,
        COMMENT,
        Window(0.0, 1.0),
    )
    return (map_series(inputs, content),)


def share_of_fixed(inputs: EncodeInputs) -> Volume | None:
    """The contribution map of the fused image as a volume; None where it has none."""
    share = inputs.moving.fused.contribution
    if share is None:
        return None
    return replace(inputs.moving.moved, voxels=share.to("cpu"), unit=Unit.ARBITRARY, modality="OT", valid=None)
