"""Differences of fractional order along an axis, and their adjoint."""

from functools import cache

import torch

TAPS = 6
"""Grünwald and Letnikov's series is cut here; the last tap takes the rest, so that a constant has no difference."""


@cache
def weights(order: float) -> tuple[float, ...]:
    """(−1)^k C(order, k), k = 0, 1, …: 1, −1, 0, 0 … for the order 1."""
    taps = [1.0]
    for k in range(1, TAPS - 1):
        taps.append(taps[-1] * (k - 1 - order) / k)
    return (*taps, -sum(taps))


def difference(field: torch.Tensor, axis: int, order: float) -> torch.Tensor:
    """Backward difference of `order`; before the first place the field is what it is there."""
    extent = field.shape[axis]
    first = field.narrow(axis, 0, 1)
    result = torch.zeros_like(field)
    for k, weight in enumerate(weights(order)):
        if not weight:
            continue
        shift = min(k, extent)
        result.narrow(axis, shift, extent - shift).add_(field.narrow(axis, 0, extent - shift), alpha=weight)
        result.narrow(axis, 0, shift).add_(first, alpha=weight)
    return result


def adjoint_difference(field: torch.Tensor, axis: int, order: float) -> torch.Tensor:
    """The transpose of `difference`: minus a divergence."""
    extent = field.shape[axis]
    result = torch.zeros_like(field)
    for k, weight in enumerate(weights(order)):
        if not weight:
            continue
        shift = min(k, extent)
        result.narrow(axis, 0, extent - shift).add_(field.narrow(axis, shift, extent - shift), alpha=weight)
        if shift:
            result.narrow(axis, 0, 1).add_(field.narrow(axis, 0, shift).sum(dim=axis, keepdim=True), alpha=weight)
    return result
