"""Which coefficient of two images is kept: the rules that multi-scale methods share."""

from collections.abc import Callable, Sequence

import torch

from ..errors import ParameterError
from ..types import VoxelArray
from .box import box_sum

Rule = Callable[..., VoxelArray]
"""From the coefficients of each image, in their order, to the fused ones."""

DETAIL_RULES = ("max_abs", "energy")
BASE_RULES = ("mean", "max")

SLAB_PLACES = 2**20
"""Coefficients that are compared at once: what fits into a cache is several times as fast."""


def check_rules(levels: int, detail: str, base: str) -> None:
    """Raises `ParameterError` for what no rule is."""
    if levels < 1:
        raise ParameterError(f"levels is at least 1, not {levels}")
    if detail not in DETAIL_RULES:
        raise ParameterError(f"detail is max_abs or energy, not {detail!r}")
    if base not in BASE_RULES:
        raise ParameterError(f"base is mean or max, not {base!r}")


def stronger(*bands: VoxelArray, detail: str) -> VoxelArray:
    """Per place the coefficient of largest size (`max_abs`) or of largest energy about it (`energy`), else the first.

    The energy is the sum of squares over three neighbours along each axis (`burt1993`, without its match measure).
    The result is written over the first band, a few slices at a time: bands are as large as volumes.
    """
    rule = _largest if detail == "max_abs" else _most_energetic
    fused, *others = bands
    extent = fused.shape[0]
    slab = max(1, SLAB_PLACES * extent // max(1, fused.numel()))
    before = fused[:0]
    for start in range(0, extent, slab):
        stop = min(extent, start + slab)
        begin, end = start - len(before), min(extent, stop + 1)
        part = rule(torch.cat([before, fused[start:end]]), *(band[begin:end] for band in others))
        before = fused[stop - 1 : stop].clone()
        fused[start:stop] = part[start - begin : stop - begin]
    return fused


def in_slabs(bands: Sequence[VoxelArray], rule: Rule) -> VoxelArray:
    """`rule` applied to a few slices at a time; it may look one place around."""
    fused = torch.empty_like(bands[0])
    extent = fused.shape[0]
    slab = max(1, SLAB_PLACES * extent // max(1, fused.numel()))
    for start in range(0, extent, slab):
        begin, stop = max(0, start - 1), min(extent, start + slab + 1)
        part = rule(*(band[begin:stop] for band in bands))
        fused[start : start + slab] = part[start - begin : start - begin + slab]
    return fused


def energy(band: VoxelArray) -> VoxelArray:
    """Sum of squares over 3 × 3 × 3 places, nothing beyond the edge."""
    return box_sum(band.square(), (1,) * band.ndim)


def common_base(*bands: VoxelArray, base: str) -> VoxelArray:
    """What is left below the details: the mean of all, or the largest."""
    total = bands[0]
    for band in bands[1:]:
        total = total + band if base == "mean" else torch.maximum(total, band)
    return total / len(bands) if base == "mean" else total


def _largest(*bands: VoxelArray) -> VoxelArray:
    chosen = bands[0]
    for band in bands[1:]:
        chosen = torch.where(band.abs() > chosen.abs(), band, chosen)
    return chosen


def _most_energetic(*bands: VoxelArray) -> VoxelArray:
    chosen, most = bands[0], energy(bands[0])
    for band in bands[1:]:
        own = energy(band)
        chosen, most = torch.where(own > most, band, chosen), torch.maximum(own, most)
    return chosen
