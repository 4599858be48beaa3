"""Closed planar contours of an RTSTRUCT, as the share of each voxel that lies inside them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from fusion.types import Points
from fusion.volume import Grid

from ..errors import UnreadableFileError

Array = NDArray[np.float64]

SUBSAMPLES = 5
"""Per voxel and axis of a slice: a share is good to 4 % of a voxel, a contour's area to far less."""

OFF_PLANE = 0.1
"""A contour lies in a slice when it is nearer than this many slices."""


def read_contours(file: Path) -> tuple[Points, ...]:
    """The closed planar contours of the first ROI: (n, 3) LPS mm each. Raises `UnreadableFileError` for others."""
    contours = dcmread(file).ROIContourSequence[0].ContourSequence
    if {contour.ContourGeometricType for contour in contours} != {"CLOSED_PLANAR"}:
        raise UnreadableFileError(f"{file} holds contours that are not closed and planar")
    return tuple(np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3) for contour in contours)


def inside_shares(contours: Sequence[Points], grid: Grid) -> Array:
    """(slice, row, column): the share of each voxel inside, 0 … 1.

    Contours in one slice are taken together by the even-odd rule, so that holes are holes. Raises
    `UnreadableFileError` where a contour lies in no slice of `grid`.
    """
    slices, rows, columns = grid.shape
    crossed = np.zeros((slices, rows * SUBSAMPLES, columns * SUBSAMPLES), dtype=bool)
    for contour in contours:
        indices = grid.indices(contour)
        number = round(float(indices[:, 0].mean()))
        if np.abs(indices[:, 0] - number).max() >= OFF_PLANE or not 0 <= number < slices:
            raise UnreadableFileError("a contour does not lie in a slice of the image")
        crossed[number] ^= inside_polygon((indices[:, 1:] + 0.5) * SUBSAMPLES - 0.5, crossed.shape[1:])
    parts = crossed.reshape(slices, rows, SUBSAMPLES, columns, SUBSAMPLES)
    return np.asarray(parts.mean(axis=(2, 4)), dtype=np.float64)


def inside_polygon(corners: Array, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(rows, columns): whether each integer point lies inside the polygon `corners` (n, 2), by the even-odd rule."""
    inside = np.zeros(shape, dtype=bool)
    (y0, x0), (y1, x1) = corners.T, np.roll(corners, -1, axis=0).T
    columns = np.arange(shape[1])
    for row in range(max(0, int(corners[:, 0].min())), min(shape[0], int(corners[:, 0].max()) + 2)):
        cuts = (y0 <= row) != (y1 <= row)
        places = np.sort(x0[cuts] + (row - y0[cuts]) / (y1[cuts] - y0[cuts]) * (x1[cuts] - x0[cuts]))
        inside[row] = np.searchsorted(places, columns) % 2 == 1
    return inside
