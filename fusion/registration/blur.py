"""An image blurred: what is finer than the coarser of two images no longer counts, and large structure decides."""

from dataclasses import replace

import torch

from ..geometry.smoothing import gaussian
from .preparation import Level, Prepared
from .sampling import CellSampler

SIGMA_MM = 2.1
"""Standard deviation: 5 mm at half height, about what an image of uptake is blurred by anyway."""


def blurred(prepared: Prepared, level: int) -> Prepared:
    """`prepared` with its `level` blurred."""
    whole = prepared.levels[level]
    valid = torch.isfinite(whole.sampler.voxels)
    filled = torch.where(valid, whole.sampler.voxels, 0.0)
    values = gaussian(filled, [SIGMA_MM / spacing for spacing in whole.grid.spacing_mm], valid)
    sampler = CellSampler.of(values, None if bool(valid.all()) else valid)
    levels = list(prepared.levels)
    levels[level] = Level(sampler, whole.grid)
    return replace(prepared, levels=tuple(levels))
