"""What of an image is compared instead of its values: what a blur leaves of it, or what it takes away.

A blur leaves large structure, and what is finer than the coarser of two images no longer counts; what it takes away are
edges, folds and borders, whatever the brightness round about. Where images agree on one place, all three say the same.
"""

from dataclasses import replace

import torch

from ..geometry.smoothing import gaussian
from ..types import MaskArray, VoxelArray
from .preparation import Level, Prepared
from .sampling import CellSampler

LEFT_MM = 2.1
TAKEN_MM = 5.1
"""Standard deviations of the blurs: 5 and 12 mm at half height."""

WINDOW = 3.0
"""Standard deviations of the detail that the values 0 to 1 reach over, to each side."""


def blurred(prepared: Prepared, level: int) -> Prepared:
    """`prepared` with its `level` blurred."""
    whole = prepared.levels[level]
    values, valid = _blurred(whole, LEFT_MM)
    return _with(prepared, level, values, valid)


def detail_of(prepared: Prepared, level: int) -> Prepared:
    """`prepared` with what a blur takes away from its `level`, scaled to 0 … 1."""
    whole = prepared.levels[level]
    rest, valid = _blurred(whole, TAKEN_MM)
    detail = torch.where(valid, whole.sampler.voxels, 0.0) - rest
    scale = max(float(detail[valid].std()), 1e-9)
    return _with(prepared, level, (0.5 + detail / (2 * WINDOW * scale)).clamp(0, 1), valid)


def _blurred(level: Level, sigma_mm: float) -> tuple[VoxelArray, MaskArray]:
    valid = torch.isfinite(level.sampler.voxels)
    filled = torch.where(valid, level.sampler.voxels, 0.0)
    return gaussian(filled, [sigma_mm / spacing for spacing in level.grid.spacing_mm], valid), valid


def _with(prepared: Prepared, level: int, values: VoxelArray, valid: MaskArray) -> Prepared:
    sampler = CellSampler.of(values, None if bool(valid.all()) else valid)
    levels = list(prepared.levels)
    levels[level] = Level(sampler, prepared.levels[level].grid)
    return replace(prepared, levels=tuple(levels))
