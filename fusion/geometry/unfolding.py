"""Making a field one that folds nowhere: the least determinant is raised where it is too low, and nowhere else."""

import torch

from ..types import VectorField
from ..volume import Grid
from .jacobian import corner_determinants
from .smoothing import gaussian

LEAST_DETERMINANT = 0.1
"""A tenth of the volume left: tissue does not shrink further, and float32 interpolation cannot turn it negative."""

ROUNDS = 24
SIGMA_NODES = 1.0
REACH = 2
"""Nodes about a cell that is too small over which the field is smoothed; grows with every few rounds."""


def unfolded(displacement: VectorField, grid: Grid, least: float = LEAST_DETERMINANT) -> tuple[VectorField, int]:
    """`displacement` with every corner determinant of every cell at least `least`, and the rounds that it took.

    Smoothed about the cells that are too small; what is left after all rounds is shortened as a whole, which ends at
    the identity, where every determinant is 1. A field that needs nothing comes back unchanged.
    """
    for number in range(ROUNDS):
        bad = corner_determinants(displacement, grid).amin(dim=0) < least
        if not bool(bad.any()):
            return displacement, number
        reach = REACH + number // 4
        cells = torch.nn.functional.pad(bad.float()[None, None], [1] * 6)
        near = torch.nn.functional.max_pool3d(cells, 2, stride=1)
        near = torch.nn.functional.max_pool3d(near, 2 * reach + 1, stride=1, padding=reach)
        share = torch.nn.functional.avg_pool3d(near, 3, stride=1, padding=1)[0, 0]
        smooth = torch.stack([gaussian(part, [SIGMA_NODES] * 3) for part in displacement])
        displacement = torch.lerp(displacement, smooth, share)
    return shortened(displacement, grid, least), ROUNDS


def shortened(displacement: VectorField, grid: Grid, least: float) -> VectorField:
    """The longest multiple of `displacement`, to a hundredth, whose corner determinants are all at least `least`."""
    low, high = 0.0, 1.0
    while high - low > 0.01:
        middle = (low + high) / 2
        if float(corner_determinants(middle * displacement, grid).amin()) < least:
            high = middle
        else:
            low = middle
    return low * displacement
