"""Volumes that are too large to be copied whole: read once, slab by slab, at the finest spacing that is looked at."""

import math
from dataclasses import replace

import torch

from ..errors import UnusableVolumeError
from ..volume import Grid, Volume
from .levels import shrunk

LARGE_VOXELS = 2**25
"""From here on a few float32 copies would be half a gigabyte."""

MAX_VOXELS = 2**31
"""8 GB of voxels; more is refused."""

SLAB_BLOCKS = 8


def read_in_slabs(volume: Volume, spacing_mm: float, role: str) -> Volume:
    """`volume` as it is, or where it is large as means over blocks of about `spacing_mm`, made slab by slab.

    Raises `UnusableVolumeError` above `MAX_VOXELS`.
    """
    count = math.prod(volume.grid.shape)
    if count > MAX_VOXELS:
        raise UnusableVolumeError(
            f"the {role} image cannot be registered: its {count / 1e6:.0f} million voxels are more than the "
            f"{MAX_VOXELS / 1e6:.0f} million that are worked on; crop it, or make it coarser"
        )
    slices = volume.grid.shape[0]
    factor = max(1, min(round(spacing_mm / volume.grid.spacing_mm[0]), slices // 2))
    thick = SLAB_BLOCKS * factor
    if count < LARGE_VOXELS or slices < 2 * thick:
        return volume
    seen, measured, first_grid = _slab(volume, 0, thick, spacing_mm)
    grid = Grid((slices // factor, *first_grid.shape[1:]), first_grid.affine, volume.grid.frame_of_reference_uid)
    # Made at once: slabs that wait to be joined lie between what is thrown away, and keep it from being given back.
    voxels, valid = seen.new_empty(grid.shape), measured.new_empty(grid.shape)
    for first in range(0, slices - thick + 1, thick):
        seen, measured, _ = _slab(volume, first, thick, spacing_mm)
        place = slice(first // factor, first // factor + seen.shape[0])
        voxels[place], valid[place] = seen, measured
    return replace(volume, voxels=voxels, valid=None if bool(valid.all()) else valid, grid=grid)


def _slab(volume: Volume, first: int, thick: int, spacing_mm: float) -> tuple[torch.Tensor, torch.Tensor, Grid]:
    # The last slab takes what is left over: less than another one.
    last = first + thick if first + 2 * thick <= volume.grid.shape[0] else volume.grid.shape[0]
    voxels = volume.voxels[first:last]
    valid = torch.isfinite(voxels)
    if volume.valid is not None:
        valid &= volume.valid[first:last]
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.points(torch.tensor([first, 0.0, 0.0], dtype=torch.float64).numpy())
    slices, rows, columns = voxels.shape
    return shrunk(torch.where(valid, voxels, 0.0), valid, Grid((slices, rows, columns), affine), spacing_mm)
