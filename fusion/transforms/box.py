"""Sums and means over boxes, at a cost that does not grow with the box."""

from collections.abc import Sequence

import torch

from ..types import VoxelArray

FEW = 2
"""Up to this radius neighbours are added one by one, which is faster and exact."""


def box_sum(image: VoxelArray, radii: Sequence[int]) -> VoxelArray:
    """Per voxel the sum over `2 radius + 1` neighbours along each axis; nothing lies beyond the edge."""
    for axis, radius in enumerate(radii):
        if radius > 0 and image.shape[axis] > 1:
            image = _along(image, axis, radius)
    return image


def box_mean(image: VoxelArray, radii: Sequence[int]) -> VoxelArray:
    """Per voxel the mean over `2 radius + 1` neighbours along each axis; at the edge over those that are there."""
    for axis, radius in enumerate(radii):
        extent = image.shape[axis]
        if radius > 0 and extent > 1:
            at = torch.arange(extent, device=image.device)
            count = (at + radius).clamp(max=extent - 1) - (at - radius).clamp(min=0) + 1
            image = _along(image, axis, radius).div_(count.reshape([-1 if i == axis else 1 for i in range(image.ndim)]))
    return image


def radii_of(radius: int, shape: Sequence[int], spacing_mm: Sequence[float]) -> tuple[int, ...]:
    """`radius` voxels of the finest axis, as about the same length in mm along the others."""
    finest = min((s for s, n in zip(spacing_mm, shape, strict=True) if n > 1), default=1.0)
    return tuple(round(radius * finest / s) if n > 1 else 0 for s, n in zip(spacing_mm, shape, strict=True))


def _along(image: VoxelArray, axis: int, radius: int) -> VoxelArray:
    extent = image.shape[axis]
    if radius <= FEW:
        total = image.clone()
        for offset in range(1, min(radius, extent - 1) + 1):
            total.narrow(axis, 0, extent - offset).add_(image.narrow(axis, offset, extent - offset))
            total.narrow(axis, offset, extent - offset).add_(image.narrow(axis, 0, extent - offset))
        return total
    # Running sums of float32 about the mean of a line lose nothing that a window of it would show.
    reach = min(radius, extent - 1)
    sums = image.cumsum(axis)
    total = torch.empty_like(image)
    upper = sums.narrow(axis, reach, extent - reach)
    total.narrow(axis, 0, extent - reach).copy_(upper)
    total.narrow(axis, extent - reach, reach).copy_(
        sums.narrow(axis, extent - 1, 1).expand_as(total.narrow(axis, 0, reach))
    )
    if extent > reach + 1:
        total.narrow(axis, reach + 1, extent - reach - 1).sub_(sums.narrow(axis, 0, extent - reach - 1))
    return total
