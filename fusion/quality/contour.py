"""How far apart the outlines of the two bodies are."""

import numpy as np
import torch
from scipy import ndimage

from ..geometry.transform import AffineTransform
from ..registration.body import body_mask, body_threshold
from ..registration.intensity import clip_range, is_hounsfield, some_of
from ..registration.levels import shrunk
from ..types import Points
from ..volume import Grid, Volume

CONTOUR_SPACING_MM = 2.0
EDGE_MM = 6.0
"""Outline nearer than this to the end of either field of view is where the scan ends, not the patient."""

MIN_OUTLINE_POINTS = 200
MAX_OUTLINE_POINTS = 20_000
FUZZY_MODALITIES = frozenset({"PT", "NM"})
"""Uptake fades out: what is outline there depends on the threshold."""


def contour_measures(fixed: Volume, moving: Volume, transform: AffineTransform) -> dict[str, float]:
    """`contour_mean_mm` and `contour_p95_mm`, both ways and the worse of the two; nothing where one has no outline."""
    if FUZZY_MODALITIES & {fixed.modality, moving.modality}:
        return {}
    one, other = _outline(fixed), _outline(moving)
    distances = [d for d in (_distances(one, other, transform), _distances(other, one, transform.inverse())) if len(d)]
    if not distances:
        return {}
    return {
        "contour_mean_mm": max(float(d.mean()) for d in distances),
        "contour_p95_mm": max(float(np.quantile(d, 0.95)) for d in distances),
    }


class _Outline:
    """The surface of a body as points, and the distance of any point from it."""

    def __init__(self, mask: torch.Tensor, grid: Grid) -> None:
        inside = mask.numpy()
        self.grid = grid
        inner = ndimage.binary_erosion(inside, border_value=1)
        self.points: Points = grid.points(np.argwhere(inside & ~inner).astype(np.float64))
        outward = ndimage.distance_transform_edt(~inside, sampling=grid.spacing_mm)
        inward = ndimage.distance_transform_edt(inside, sampling=grid.spacing_mm)
        self.distance = np.asarray(np.abs(outward - inward))

    def within(self, points: Points) -> np.ndarray:
        """Whether points lie inside the field of view and away from its ends."""
        margin = EDGE_MM / np.array(self.grid.spacing_mm)
        indices = self.grid.indices(points)
        return np.asarray(((indices >= margin) & (indices <= np.array(self.grid.shape) - 1 - margin)).all(axis=-1))


def _outline(volume: Volume) -> _Outline:
    valid = torch.isfinite(volume.voxels) if volume.valid is None else volume.valid & torch.isfinite(volume.voxels)
    low, high = clip_range(volume, valid)
    clipped = torch.where(valid, volume.voxels, low).clamp(low, high)
    voxels, whole, grid = shrunk(clipped, valid, volume.grid, CONTOUR_SPACING_MM)
    threshold = body_threshold(some_of(voxels, whole), is_hounsfield(volume))
    return _Outline(body_mask(voxels, grid, threshold), grid)


def _distances(one: _Outline, other: _Outline, transform: AffineTransform) -> np.ndarray:
    """Distances of the outline points of `one`, where both images see, from the outline of `other`."""
    points = one.points[one.within(one.points)]
    points = points[:: max(1, len(points) // MAX_OUTLINE_POINTS)]
    moved = transform(points)
    moved = moved[other.within(moved)]
    if len(moved) < MIN_OUTLINE_POINTS:
        return np.empty(0)
    found: np.ndarray = ndimage.map_coordinates(other.distance, other.grid.indices(moved).T, order=1, mode="nearest")
    return found
