"""Each image weighted by its share of the first principal component."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch

from ..types import VoxelArray
from ..volume import Volume
from .inputs import WindowChoice, WindowChoices, aligned_images
from .method import Fused


@dataclass(frozen=True, slots=True)
class Pca:
    """The images in the proportion of the leading eigenvector of their covariance (`naidu2008`).

    The one that varies most weighs most. Components of opposite sign (images that run against each other) count by
    their size, so that weights lie between 0 and 1. Constant images weigh the same.
    """

    fixed_window: WindowChoice = None
    moved_window: WindowChoices = None

    def __call__(self, fixed: Volume, moved: Volume, *further: Volume) -> Fused:
        aligned = aligned_images(fixed, (moved, *further), self.fixed_window, self.moved_window)
        weights = principal_weights(
            [image if aligned.shown is None else image[aligned.shown] for image in aligned.images]
        )
        mixed = aligned.images[0] * weights[0]
        for image, weight in zip(aligned.images[1:], weights[1:], strict=True):
            mixed.add_(image, alpha=weight)
        return Fused(aligned.over_fixed(mixed), fixed.grid, "pca", asdict(self) | aligned.windows)


def principal_weights(images: Sequence[VoxelArray]) -> list[float]:
    """The weight of each image, 0…1, together 1."""
    if not images[0].numel():
        return [1 / len(images)] * len(images)
    # Means are small beside the values and float32 sums are pairwise: what is lost is below 1e-6 of the weight.
    means = [image.mean() for image in images]
    covariance = torch.zeros((len(images), len(images)), dtype=torch.float64)
    for row, first in enumerate(images):
        for column, second in enumerate(images[: row + 1]):
            product = (first - means[row]).mul_(second - means[column])
            covariance[row, column] = covariance[column, row] = float(product.mean(dtype=torch.float64))
    values, vectors = torch.linalg.eigh(covariance)
    # A leading value that is no larger than the others has no direction.
    if float(values[-1] - values[-2]) <= 1e-12:
        return [1 / len(images)] * len(images)
    size = vectors[:, -1].abs()
    return [float(each) for each in size / size.sum()]
