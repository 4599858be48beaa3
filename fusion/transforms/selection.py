"""Which coefficient of two images is kept: the rules that multi-scale methods share."""

import torch

from ..errors import ParameterError
from ..types import VoxelArray
from .box import box_sum

DETAIL_RULES = ("max_abs", "energy")
BASE_RULES = ("mean", "max")


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
        return torch.where(second.abs() > first.abs(), second, first)
    return torch.where(energy(second) > energy(first), second, first)


def energy(band: VoxelArray) -> VoxelArray:
    """Sum of squares over 3 × 3 × 3 places, nothing beyond the edge."""
    return box_sum(band.square(), (1,) * band.ndim)


def common_base(first: VoxelArray, second: VoxelArray, base: str) -> VoxelArray:
    """What is left below the details: the mean of both, or the larger."""
    return (first + second) / 2 if base == "mean" else torch.maximum(first, second)
