"""The expected error of the registration as a Parametric Map: where in the body it is how many mm."""

from fusion.display import Window
from fusion.geometry import resample
from fusion.geometry.transform import AffineTransform
from fusion.volume import Volume

from .inputs import EncodedSeries, EncodeInputs
from .parametric_map import MapContent, map_series

KIND = "expected_error"
SERIES_OFFSET = 7
COMMENT = "Expected error of the registration, estimated by the node"


def expected_error(inputs: EncodeInputs) -> tuple[EncodedSeries, ...]:
    """One float32 map in mm on the fixed grid; no series where the registration has no map.

    Raises `EncodeError` for a sheared fixed grid or sources that no map can name.
    """
    volume = error_on_fixed(inputs)
    if volume is None:
        return ()
    limit = max(float(volume.voxels.max()), 1e-3)
    content = MapContent(
        KIND,
        SERIES_OFFSET,
        volume,
        f"expected error of {inputs.pair}",
        "EXPECTED_ERROR",
        "Expected registration error",
        ("mm", "millimeter"),
        None,
        COMMENT,
        Window(0.0, limit),
    )
    return (map_series(inputs, content),)


def error_on_fixed(inputs: EncodeInputs) -> Volume | None:
    """The map of the registration on the fixed grid, on the CPU; None where it has none."""
    coarse = inputs.moving.registration.error_map
    if coarse is None:
        return None
    return resample(coarse.to("cpu"), AffineTransform.identity(), onto=inputs.fixed.grid)
