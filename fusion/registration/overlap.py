"""How much of two bodies was seen by both scanners."""

import numpy as np

from ..geometry.transform import AffineTransform
from ..types import Points
from ..volume import Grid
from .preparation import Prepared


def inside_share(points: Points, grid: Grid) -> float:
    """The share of `points` (n, 3) that lie within the outer voxel faces of `grid`."""
    indices = grid.indices(points)
    return float(((indices >= -0.5) & (indices <= np.array(grid.shape) - 0.5)).all(axis=-1).mean())


def overlap_share(fixed: Prepared, moving: Prepared, transform: AffineTransform) -> float:
    """The share of the fixed or of the moving body inside the other field of view, whichever is larger.

    A head inside a whole body overlaps wholly; two halves of one body do not.
    """
    return max(
        inside_share(transform(fixed.body_points), moving.grid),
        inside_share(transform.inverse()(moving.body_points), fixed.grid),
    )
