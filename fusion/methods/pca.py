"""Each image weighted by its share of the first principal component."""

from dataclasses import asdict, dataclass

import torch

from ..types import VoxelArray
from ..volume import Volume
from .inputs import WindowChoice, aligned_pair
from .method import Fused


@dataclass(frozen=True, slots=True)
class Pca:
    """The two images in the proportion of the leading eigenvector of their 2 × 2 covariance (`naidu2008`).

    The one that varies more weighs more. Components of opposite sign (images that run against each other) count by
    their size, so that weights lie between 0 and 1. Two constant images weigh the same.
    """

    fixed_window: WindowChoice = None
    moved_window: WindowChoice = None

    def __call__(self, fixed: Volume, moved: Volume) -> Fused:
        pair = aligned_pair(fixed, moved, self.fixed_window, self.moved_window)
        weight = principal_weight(
            *(image if pair.shown is None else image[pair.shown] for image in (pair.fixed, pair.moved))
        )
        image = pair.over_fixed(torch.lerp(pair.moved, pair.fixed, weight))
        return Fused(image, fixed.grid, "pca", asdict(self) | pair.windows)


def principal_weight(first: VoxelArray, second: VoxelArray) -> float:
    """Weight of the first image, 0…1; the second has the rest."""
    if not first.numel():
        return 0.5
    # Means are small beside the values and float32 sums are pairwise: what is lost is below 1e-6 of the weight.
    a, b = first - first.mean(), second - second.mean()
    covariance = [[float((x * y).mean(dtype=torch.float64)) for x in (a, b)] for y in (a, b)]
    values, vectors = torch.linalg.eigh(torch.tensor(covariance, dtype=torch.float64))
    # A leading value that is no larger than the other has no direction.
    if float(values[1] - values[0]) <= 1e-12:
        return 0.5
    size = vectors[:, 1].abs()
    return float(size[0] / size.sum())
