"""Smoothing with a sampled Gaussian."""

import math
from collections.abc import Sequence

import torch

from ..types import VoxelArray


def gaussian(image: VoxelArray, sigma: float, radii: Sequence[int]) -> VoxelArray:
    """Weighted mean over `2 radius + 1` neighbours along each axis; at the edge over those that are there.

    `sigma` is in voxels of the axis with the largest radius, and in proportion along the others.
    """
    largest = max(radii, default=0)
    for axis, radius in enumerate(radii):
        extent = image.shape[axis]
        if radius < 1 or extent < 2:
            continue
        width = sigma * radius / largest
        total, weights = image.clone(), torch.ones(extent, device=image.device)
        for offset in range(1, min(radius, extent - 1) + 1):
            weight = math.exp(-((offset / width) ** 2) / 2)
            for start, source in ((0, offset), (offset, 0)):
                total.narrow(axis, start, extent - offset).add_(
                    image.narrow(axis, source, extent - offset), alpha=weight
                )
                weights.narrow(0, start, extent - offset).add_(weight)
        image = total.div_(weights.reshape([-1 if other == axis else 1 for other in range(image.ndim)]))
    return image
