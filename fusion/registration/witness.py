"""Where a pose was put by looking at the images in another way, and how far that is from the result.

A witness is one or several transforms. Their mean squared distance from the result at a point x is a quadratic form of
(x, 1): a sum over the witness's transforms T of |(T - R)(x, 1)|², R being the result. So one 4 × 4 matrix holds what a
witness says everywhere in the body.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..geometry.transform import AffineTransform
from ..types import Affine4x4, Points


def scatter_of(result: AffineTransform, seen: Sequence[AffineTransform]) -> Affine4x4:
    """(4, 4) mm²: the mean of DᵀD over `seen`, D being the difference of the upper three rows."""
    differences = np.stack([other.matrix[:3] - result.matrix[:3] for other in seen])
    scatter: Affine4x4 = np.einsum("kij,kil->jl", differences, differences) / len(seen)
    return scatter


def squared_mm(scatter: Affine4x4, points: Points) -> NDArray[np.float64]:
    """(n,) mm²: the mean squared distance at `points` (n, 3)."""
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    squared: NDArray[np.float64] = np.einsum("ni,ij,nj->n", homogeneous, scatter, homogeneous, optimize=True)
    return np.maximum(squared, 0)


def mean_mm(scatter: Affine4x4, points: Points) -> float:
    """Root mean square distance over `points`."""
    return float(np.sqrt(squared_mm(scatter, points).mean()))
