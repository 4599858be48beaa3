"""Along which axes a transform works: all three where voxels are near to cubes, else within the slices."""

LEAST_EXTENT = 4
"""An axis shorter than this is left alone."""

LARGEST_RATIO = 2.0
"""An axis whose voxels are this many times as long as the shortest is left alone: its neighbours are no neighbours."""


def working_axes(shape: tuple[int, ...], spacing_mm: tuple[float, ...], least: int = LEAST_EXTENT) -> tuple[int, ...]:
    """The axes of a (slice, row, column) volume that are long and fine enough, in order; may be empty."""
    able = [axis for axis in range(3) if shape[axis] >= least]
    if not able:
        return ()
    finest = min(spacing_mm[axis] for axis in able)
    return tuple(axis for axis in able if spacing_mm[axis] <= LARGEST_RATIO * finest)
