"""Tissue classes of one image by its brightness alone."""

import torch

from ..types import VoxelArray

BINS = 256
ROUNDS = 100


def class_limits(image: VoxelArray, classes: int) -> list[float]:
    """The `classes` − 1 values between the means of k-means clusters of the brightness, 0…1, rising.

    Lloyd's rounds (`lloyd1982`) on a histogram of 256 bins, from evenly spaced quantiles of what is not empty: with two
    classes the end is Otsu's threshold (`otsu1979`), whose criterion is the same. An image of fewer levels than classes
    has limits that part nothing.
    """
    level = (image.reshape(-1) * (BINS - 1)).round_().clamp_(0, BINS - 1).long()
    counts = torch.bincount(level, minlength=BINS).cpu().double()
    values = torch.arange(BINS, dtype=torch.float64) / (BINS - 1)
    filled = torch.where(values > 0, counts, 0.0).cumsum(0)
    if filled[-1] == 0:
        return [1.0] * (classes - 1)
    starts = [0.0] + [
        float(values[(filled >= filled[-1] * (k - 0.5) / (classes - 1)).nonzero()[0, 0]]) for k in range(1, classes)
    ]
    means = torch.tensor(starts, dtype=torch.float64)
    for _ in range(ROUNDS):
        of = (values[:, None] - means).abs().argmin(dim=1)
        weight = torch.zeros(classes, dtype=torch.float64).index_add_(0, of, counts)
        total = torch.zeros(classes, dtype=torch.float64).index_add_(0, of, counts * values)
        moved = torch.where(weight > 0, total / weight.clamp(min=1), means).sort().values
        if torch.equal(moved, means):
            break
        means = moved
    return ((means[1:] + means[:-1]) / 2).tolist()


def classes_of(image: VoxelArray, limits: list[float]) -> torch.Tensor:
    """int64 per voxel: 0 for the darkest class."""
    return torch.bucketize(image, torch.tensor(limits, device=image.device))
