"""Coarser copies of a volume for a coarse-to-fine search."""

import numpy as np
import torch

from ..types import MaskArray, VoxelArray
from ..volume import Grid


def shrunk(voxels: VoxelArray, valid: MaskArray, grid: Grid, spacing_mm: float) -> tuple[VoxelArray, MaskArray, Grid]:
    """Means over whole blocks of voxels, about `spacing_mm` wide, with their grid; at least two blocks an axis.

    A block counts as valid when all of its voxels are. Means over blocks are the plainest anti-aliasing, and exact
    about where the block lies.
    """
    factors = [
        max(1, min(round(spacing_mm / spacing), extent // 2))
        for spacing, extent in zip(grid.spacing_mm, grid.shape, strict=True)
    ]
    if factors == [1, 1, 1]:
        return voxels, valid, grid
    smaller = torch.nn.functional.avg_pool3d(voxels[None, None], factors)[0, 0]
    if bool(valid.all()):
        whole = torch.ones_like(smaller, dtype=torch.bool)
    else:
        whole = torch.nn.functional.avg_pool3d(valid.to(torch.float32)[None, None], factors)[0, 0] > 1 - 1e-4
    affine = grid.affine.copy()
    affine[:3, :3] *= np.array(factors, dtype=np.float64)
    affine[:3, 3] = grid.points((np.array(factors, dtype=np.float64) - 1) / 2)
    slices, rows, columns = smaller.shape
    return smaller, whole, Grid((slices, rows, columns), affine, grid.frame_of_reference_uid)
