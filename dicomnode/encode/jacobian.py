"""How a deformable registration stretches the tissue, as a Parametric Map: the Jacobian determinant at each voxel."""

from fusion.display import Window
from fusion.geometry.displacement import DisplacementTransform
from fusion.geometry.jacobian import jacobian_map
from fusion.volume import Volume

from .inputs import EncodedSeries, EncodeInputs
from .parametric_map import MapContent, map_series

KIND = "jacobian"
SERIES_OFFSET = 8
COMMENT = "Jacobian determinant of the map from fixed to moving points"


def jacobian(inputs: EncodeInputs) -> tuple[EncodedSeries, ...]:
    """One float32 map on the fixed grid; no series for an affine registration, of which one number says it all.

    Raises `EncodeError` for a sheared fixed grid or sources that no map can name.
    """
    volume = jacobian_on_fixed(inputs)
    if volume is None:
        return ()
    content = MapContent(
        KIND,
        SERIES_OFFSET,
        volume,
        f"Jacobian determinant of {inputs.pair}",
        "JACOBIAN",
        "Jacobian determinant",
        ("1", "no units"),
        None,
        COMMENT,
        Window(0.0, 2.0),
    )
    return (map_series(inputs, content),)


def jacobian_on_fixed(inputs: EncodeInputs) -> Volume | None:
    """The determinants on the fixed grid; None where the transform is affine."""
    transform = inputs.moving.registration.transform
    if not isinstance(transform, DisplacementTransform):
        return None
    return Volume(jacobian_map(transform, inputs.fixed.grid), inputs.fixed.grid)
