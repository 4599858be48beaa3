"""Which source slices a slice of the fixed grid came from, by geometry."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from fusion.types import Points
from fusion.volume import Grid

from .inputs import EncodeInputs

LATTICE = 17
"""Points along each side of a fixed slice that are followed into the moving image: the range of slices that a plane
cuts within the moving field of view is then true to a sixteenth of its side."""

Sources = tuple[tuple[Dataset, ...], ...]
"""For each slice of the fixed grid, the headers of the instances that contributed to it."""


def fixed_sources(inputs: EncodeInputs) -> Sources:
    """The fixed instance nearest to each slice of the fixed grid; the loader may have resampled a tilted series."""
    grid = inputs.fixed.grid
    placed = _placed(inputs.fixed_headers)
    if placed is None:
        return tuple((inputs.fixed_headers[0],) for _ in range(grid.shape[0]))
    headers, normal, positions = placed
    centres = grid.points(_lattice(grid.shape, 1)).reshape(grid.shape[0], 3) @ normal
    nearest = np.abs(centres[:, None] - positions[None, :]).argmin(axis=1)
    return tuple((headers[index],) for index in nearest)


def moving_sources(inputs: EncodeInputs) -> Sources:
    """The moving instances between which, or near which, each slice of the fixed grid was interpolated.

    A slice counts when a point of the plane lies closer to it than one step of the moving series, or of the fixed
    one where that is coarser (anti-aliasing then mixes the slices between). Empty outside of the moving image.
    """
    grid, moving = inputs.fixed.grid, inputs.moving
    placed = _placed(moving.headers)
    points = grid.points(_lattice(grid.shape, LATTICE))
    mapped = moving.registration.transform(points)
    inside = _inside(moving.volume.grid, mapped)
    if placed is None:
        return tuple(moving.headers[:1] if hit.any() else () for hit in inside)
    headers, normal, positions = placed
    step = max((b - a for a, b in pairwise(positions)), default=moving.volume.grid.spacing_mm[0])
    reach = max(step, grid.spacing_mm[0])
    heights = mapped @ normal
    chosen: list[tuple[Dataset, ...]] = []
    for height, hit in zip(heights, inside, strict=True):
        if not hit.any():
            chosen.append(())
            continue
        low, high = height[hit].min() - reach, height[hit].max() + reach
        chosen.append(tuple(headers[i] for i in np.flatnonzero((positions > low) & (positions < high))))
    return tuple(chosen)


def _placed(headers: Sequence[Dataset]) -> tuple[list[Dataset], Points, NDArray[np.float64]] | None:
    """Headers in the order of their position along the common normal; None where they carry no plane of their own."""
    if len(headers) < 2 or any("ImagePositionPatient" not in header for header in headers):
        return None
    along_row, along_column = np.array(headers[0].ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    normal = np.cross(along_row, along_column)
    positions = np.array([header.ImagePositionPatient for header in headers], dtype=np.float64) @ normal
    order = np.argsort(positions, kind="stable")
    return [headers[index] for index in order], normal, positions[order]


def _lattice(shape: tuple[int, int, int], points: int) -> NDArray[np.float64]:
    """(slices, points², 3) indices spread over each slice; with one point, its centre."""
    rows, columns = (
        np.linspace(0, extent - 1, points) if points > 1 else np.array([(extent - 1) / 2]) for extent in shape[1:]
    )
    index = np.stack(np.meshgrid(np.arange(shape[0]), rows, columns, indexing="ij"), axis=-1)
    return index.reshape(shape[0], points * points, 3).astype(np.float64)


def _inside(grid: Grid, points: Points) -> NDArray[np.bool_]:
    """Which points lie within the outer faces of the voxels of `grid`."""
    indices = grid.indices(points)
    inside: NDArray[np.bool_] = np.all((indices >= -0.5) & (indices <= np.array(grid.shape) - 0.5), axis=-1)
    return inside
