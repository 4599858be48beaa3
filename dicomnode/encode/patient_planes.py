"""Axial, coronal and sagittal pictures of a volume, at the right aspect whatever way its slices run."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from fusion.types import Points
from fusion.volume import Grid

Plane2d = NDArray[np.float32]
"""(rows, columns), square pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class PatientPlane:
    """A plane of square pixels through the patient: `right` and `down` are LPS unit vectors of the picture's axes.

    `letters` are the anatomical directions at the left and right edge.
    """

    name: str
    right: Points
    down: Points
    letters: tuple[str, str]

    def points(self, grid: Grid, centre_mm: Points, pixels: int) -> tuple[Points, float]:
        """(pixels, pixels, 3) LPS mm over the extent of `grid`, through `centre_mm`; and the size of a pixel in mm."""
        corners = grid.corners_mm()
        span = max(float(np.ptp(corners @ axis)) for axis in (self.right, self.down)) * 1.02
        middle = (corners.max(axis=0) + corners.min(axis=0)) / 2
        offsets = (np.arange(pixels) - (pixels - 1) / 2) * span / pixels
        through = centre_mm + self.right * ((middle - centre_mm) @ self.right)
        through = through + self.down * ((middle - centre_mm) @ self.down)
        points: Points = through + offsets[None, :, None] * self.right + offsets[:, None, None] * self.down
        return points, span / pixels


LEFT, POSTERIOR, SUPERIOR = np.eye(3, dtype=np.float64)
AXIAL = PatientPlane("axial", LEFT, POSTERIOR, ("R", "L"))
CORONAL = PatientPlane("coronal", LEFT, -SUPERIOR, ("R", "L"))
SAGITTAL = PatientPlane("sagittal", POSTERIOR, -SUPERIOR, ("A", "P"))


def sample(voxels: NDArray[np.float32], grid: Grid, points: Points, outside: float) -> Plane2d:
    """Linear interpolation of `voxels` at `points` (…, 3)."""
    indices = np.moveaxis(grid.indices(points), -1, 0)
    plane: Plane2d = map_coordinates(voxels, indices, order=1, mode="constant", cval=outside).astype(np.float32)
    return plane


def sample_mask(mask: NDArray[np.bool_], grid: Grid, points: Points) -> NDArray[np.bool_]:
    """The nearest value of `mask` at `points` (…, 3), False outside."""
    index = np.rint(grid.indices(points)).astype(np.int64)
    inside = np.all((index >= 0) & (index < np.array(grid.shape)), axis=-1)
    result = np.zeros(points.shape[:-1], dtype=bool)
    result[inside] = mask[tuple(index[inside].T)]
    return result
