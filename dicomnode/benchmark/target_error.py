"""Points of a body, and how far two transforms put them apart."""

from dataclasses import dataclass

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from fusion import Unit, Volume
from fusion.geometry.transform import Transform
from fusion.types import Points

BODY_HU = -300.0
WITHIN = 400
OUTERMOST = 100
SEED = 7

MEAN_LIMIT_MM = 2.5
LARGEST_LIMIT_MM = 5.0


@dataclass(frozen=True, slots=True)
class TargetError:
    """Distances over the body, mm."""

    mean_mm: float
    p95_mm: float
    max_mm: float

    @property
    def failed(self) -> bool:
        """A mean of 2.5 mm or more, or 5 mm anywhere."""
        return self.mean_mm >= MEAN_LIMIT_MM or self.max_mm >= LARGEST_LIMIT_MM


def target_error(found: Transform, truth: Transform, points: Points) -> TargetError:
    """How far `found` puts `points` (n, 3) from where `truth` puts them."""
    distances = np.linalg.norm(found(points) - truth(points), axis=1)
    return TargetError(float(distances.mean()), float(np.percentile(distances, 95)), float(distances.max()))


def body_points(fixed: Volume, moving: Volume, truth: Transform) -> Points:
    """(n, 3) LPS mm of the fixed body, as far as it truly lies in the moving image: some within, and the outermost.

    The body is found by a threshold of its own, -300 HU or Otsu's, not by the engine's mask.
    """
    places = np.argwhere(body_mask(fixed)).astype(np.float64)
    points = fixed.grid.points(places[:: max(1, len(places) // 50_000)])
    indices = moving.grid.indices(truth(points))
    points = points[((indices >= 0) & (indices <= np.array(moving.grid.shape) - 1)).all(axis=1)]
    generator = np.random.default_rng(SEED)
    directions = generator.normal(size=(OUTERMOST, 3))
    farthest = np.argmax((points - points.mean(axis=0)) @ directions.T, axis=0)
    within = generator.choice(len(points), min(WITHIN, len(points)), replace=False)
    chosen: Points = points[np.unique(np.concatenate([farthest, within]))]
    return chosen


def body_mask(volume: Volume) -> NDArray[np.bool_]:
    """(slice, row, column): where the body is."""
    voxels = volume.voxels.cpu().numpy()
    if volume.unit is Unit.HU:
        mask: NDArray[np.bool_] = voxels > BODY_HU
        return mask
    otsu = SimpleITK.OtsuThreshold(SimpleITK.GetImageFromArray(voxels), 0, 1)
    return np.asarray(SimpleITK.GetArrayFromImage(otsu) == 1)
