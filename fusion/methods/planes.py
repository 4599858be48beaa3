"""Networks that see planes, on volumes.

Where voxels are isotropic enough, planes along all three axes are fused and averaged, so that no direction is
favoured; else slice by slice, and neighbouring slices are made to agree where the sources agree.
"""

from collections.abc import Callable

import torch

from ..types import VoxelArray

PlaneFusion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Two batches of planes (n, 1, h, w) to one."""

ISOTROPIC = 1.5
"""Slices up to this many times as far apart as pixels are treated as any other plane."""

LEAST_SLICES = 16
"""Planes across fewer slices than this show too little."""

PIXELS_AT_ONCE = 2**18
"""Planes are handed to the network in batches of about this many pixels: what bounds its memory."""

LIKENESS = 0.05
"""Sources that differ by so much between two slices tie the fused slices e times less than equal ones."""


def fuse_planes(
    fuse: PlaneFusion, first: VoxelArray, second: VoxelArray, spacing_mm: tuple[float, float, float]
) -> VoxelArray:
    """The fused volume, on the device of the sources."""
    across, *within = spacing_mm
    along_slices = _along(0, fuse, first, second)
    if first.shape[0] == 1:
        return along_slices
    if first.shape[0] >= LEAST_SLICES and across <= ISOTROPIC * min(within):
        return (along_slices + _along(1, fuse, first, second) + _along(2, fuse, first, second)) / 3
    return consistent(along_slices, first, second)


def consistent(fused: VoxelArray, first: VoxelArray, second: VoxelArray) -> VoxelArray:
    """Each slice averaged with its neighbours where both sources are alike in both slices."""
    total, weights = fused.clone(), torch.ones_like(fused)
    change = (first.diff(dim=0).abs() + second.diff(dim=0).abs()) / LIKENESS
    tie = torch.exp(-change) / 2
    total[1:] += tie * fused[:-1]
    total[:-1] += tie * fused[1:]
    weights[1:] += tie
    weights[:-1] += tie
    return total / weights


def _along(axis: int, fuse: PlaneFusion, first: VoxelArray, second: VoxelArray) -> VoxelArray:
    planes = [volume.movedim(axis, 0).unsqueeze(1) for volume in (first, second)]
    count = max(1, PIXELS_AT_ONCE // (planes[0].shape[2] * planes[0].shape[3]))
    parts = [
        fuse(planes[0][start : start + count].contiguous(), planes[1][start : start + count].contiguous())
        for start in range(0, planes[0].shape[0], count)
    ]
    return torch.cat(parts).squeeze(1).movedim(0, axis)
