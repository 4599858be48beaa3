"""Which coefficient of two images is kept: the rules that multi-scale methods share."""

from collections.abc import Callable

import torch

from ..errors import ParameterError
from ..types import VoxelArray
from .box import box_sum

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


def stronger(first: VoxelArray, second: VoxelArray, detail: str) -> VoxelArray:
    """Per place the coefficient of larger size (`max_abs`) or of larger energy about it (`energy`).

    The energy is the sum of squares over three neighbours along each axis (`burt1993`, without its match measure).
    """
    if detail == "max_abs":
        return in_slabs(first, second, lambda ours, theirs: torch.where(theirs.abs() > ours.abs(), theirs, ours))
    return in_slabs(first, second, lambda ours, theirs: torch.where(energy(theirs) > energy(ours), theirs, ours))


def in_slabs(first: VoxelArray, second: VoxelArray, rule: Callable[[VoxelArray, VoxelArray], VoxelArray]) -> VoxelArray:
    """`rule` applied to a few slices at a time; it may look one place around."""
    fused = torch.empty_like(first)
    extent = first.shape[0]
    slab = max(1, SLAB_PLACES * extent // max(1, first.numel()))
    for start in range(0, extent, slab):
        begin, stop = max(0, start - 1), min(extent, start + slab + 1)
        part = rule(first[begin:stop], second[begin:stop])
        fused[start : start + slab] = part[start - begin : start - begin + slab]
    return fused


def energy(band: VoxelArray) -> VoxelArray:
    """Sum of squares over 3 × 3 × 3 places, nothing beyond the edge."""
    return box_sum(band.square(), (1,) * band.ndim)


def common_base(first: VoxelArray, second: VoxelArray, base: str) -> VoxelArray:
    """What is left below the details: the mean of both, or the larger."""
    return (first + second) / 2 if base == "mean" else torch.maximum(first, second)
