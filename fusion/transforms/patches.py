"""Overlapping square patches of slices, and the image that they make together."""

import torch
from torch.nn.functional import fold, unfold

from ..types import VoxelArray
from .extension import mirrored


def covered(slices: VoxelArray, side: int, stride: int) -> VoxelArray:
    """The slices, mirrored beyond their last row and column until patches of `side` at every `stride` cover them."""
    for axis in (1, 2):
        extent = slices.shape[axis]
        wanted = max(extent, side)
        wanted += -(wanted - side) % stride
        slices = slices.index_select(axis, mirrored(torch.arange(wanted), extent).to(slices.device))
    return slices


def patches_of(slices: VoxelArray, side: int, stride: int) -> torch.Tensor:
    """(slices · patches, side²), row by row, of `covered` slices."""
    columns = unfold(slices[:, None], side, stride=stride)
    return columns.transpose(1, 2).reshape(-1, side * side)


def joined(patches: torch.Tensor, shape: tuple[int, int, int], side: int, stride: int) -> VoxelArray:
    """The mean of all patches that hold a voxel; `shape` is that of the `covered` slices."""
    columns = patches.reshape(shape[0], -1, side * side).transpose(1, 2)
    total = fold(columns, shape[1:], side, stride=stride)
    count = fold(torch.ones_like(columns[:1]), shape[1:], side, stride=stride)
    image: VoxelArray = (total / count)[:, 0]
    return image
