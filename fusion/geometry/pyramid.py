"""Coarser versions of a volume, by physical spacing: what a search from coarse to fine starts with."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from ..errors import ParameterError
from ..volume import Grid, Volume
from .resample import resample
from .transform import AffineTransform

SPACING_SLACK = 1.1
"""Within a tenth of the wanted spacing is close enough to stop at whole blocks of voxels."""

LEAST_VALID_SHARE = 0.5
"""A block is valid when at least this share of it is."""


def pyramid(volume: Volume, spacings_mm: Sequence[float]) -> tuple[Volume, ...]:
    """One volume per spacing, in the order asked for, each made from the original."""
    return tuple(downsample(volume, spacing_mm) for spacing_mm in spacings_mm)


def downsample(volume: Volume, spacing_mm: float) -> Volume:
    """`volume` with a spacing of about `spacing_mm` along each axis that is finer than that; it covers the same extent.

    Means over whole blocks of voxels do most of it; what is then still more than a tenth too fine is smoothed and
    resampled. An axis that is coarser than `spacing_mm` stays as it is. Raises `ParameterError` unless
    `spacing_mm` is positive and finite.
    """
    if not (math.isfinite(spacing_mm) and spacing_mm > 0):
        raise ParameterError(f"the spacing of a coarser volume is positive, not {spacing_mm}")
    factors = [
        min(extent, max(1, int(spacing_mm / spacing * SPACING_SLACK)))
        for extent, spacing in zip(volume.grid.shape, volume.grid.spacing_mm, strict=True)
    ]
    coarse = block_mean(volume, factors)
    target = _with_spacing(coarse.grid, spacing_mm)
    if target.shape == coarse.grid.shape:
        return coarse
    return resample(coarse, AffineTransform.identity(), target)


def block_mean(volume: Volume, factors: Sequence[int]) -> Volume:
    """The mean over the valid voxels of each block of `factors` voxels (slice, row, column); 1 leaves an axis.

    A block that reaches over the edge is the mean of what there is. Blocks less than half valid are invalid and 0.
    """
    if all(factor == 1 for factor in factors):
        return volume
    valid = torch.isfinite(volume.voxels) if volume.valid is None else torch.isfinite(volume.voxels) & volume.valid
    total, count = torch.where(valid, volume.voxels, 0.0), valid.float()
    for axis, factor in enumerate(factors):
        total, count = _block_sum(total, axis, factor), _block_sum(count, axis, factor)
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.points((np.array(factors, dtype=np.float64) - 1) / 2)
    affine[:3, :3] *= np.array(factors, dtype=np.float64)
    grid = Grid((total.shape[0], total.shape[1], total.shape[2]), affine, volume.grid.frame_of_reference_uid)
    # Of a block over the edge only the part inside counts as measurable.
    whole = torch.ones((), device=count.device)
    for axis, factor in enumerate(factors):
        extent = _block_sum(torch.ones(volume.grid.shape[axis], device=count.device), 0, factor)
        whole = whole * extent.reshape([-1 if other == axis else 1 for other in range(3)])
    kept = count >= LEAST_VALID_SHARE * whole
    voxels = torch.where(kept, total / count.clamp(min=1), 0.0)
    return replace(volume, voxels=voxels, grid=grid, valid=None if bool(kept.all()) else kept)


def _block_sum(values: torch.Tensor, axis: int, factor: int) -> torch.Tensor:
    """Sums of `factor` neighbours along one axis; the last may hold fewer."""
    if factor == 1:
        return values
    missing = -values.shape[axis] % factor
    if missing:
        padding = [0, 0] * values.ndim
        padding[2 * (values.ndim - 1 - axis) + 1] = missing
        values = functional.pad(values, padding)
    blocks = (*values.shape[:axis], -1, factor, *values.shape[axis + 1 :])
    return values.reshape(blocks).sum(dim=axis + 1)


def _with_spacing(grid: Grid, spacing_mm: float) -> Grid:
    """The same field of view in fewer voxels along each axis that is more than the slack too fine."""
    ratios = [spacing_mm / spacing for spacing in grid.spacing_mm]
    extents = [
        max(1, round(extent / ratio)) if ratio > SPACING_SLACK else extent
        for extent, ratio in zip(grid.shape, ratios, strict=True)
    ]
    steps = np.array(grid.shape, dtype=np.float64) / extents
    affine = grid.affine.copy()
    affine[:3, 3] = grid.points((steps - 1) / 2)
    affine[:3, :3] *= steps
    return Grid((extents[0], extents[1], extents[2]), affine, grid.frame_of_reference_uid)
