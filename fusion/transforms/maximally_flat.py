"""Maximally flat half-band filters, as functions of the frequency, and the pyramid that they make."""

from collections.abc import Iterator
from math import comb

import torch

ORDER = 6
"""Zeros at both ends of the band."""


def half_band(cosine: torch.Tensor) -> torch.Tensor:
    """P(x) with P(x) + P(−x) = 1 and `ORDER` zeros at x = −1: a polynomial, so a filter of finite length.

    x = cos ω gives a low-pass, other trigonometric polynomials give fans and quadrants (transformation of McClellan,
    as in `dacunha2006`). 0…1.
    """
    share = (1 + cosine) / 2
    rest = 1 - share
    # Horner's rule for the sum of C(N−1+k, k) (1 − s)^k.
    total = torch.full_like(share, float(comb(2 * ORDER - 2, ORDER - 1)))
    for k in reversed(range(ORDER - 1)):
        total.mul_(rest).add_(comb(ORDER - 1 + k, k))
    return total.mul_(share**ORDER).clamp_(0.0, 1.0)


def pyramid_bands(frequencies: list[torch.Tensor], levels: int) -> Iterator[tuple[torch.Tensor, bool]]:
    """Windows that sum to one: the detail of each level, finest first, then (True) what is left below.

    Each level's low-pass is the product over the axes of `half_band(cos 2^level ω)`: the à trous scheme, in frequency.
    """
    below = torch.ones([1] * len(frequencies), device=frequencies[0].device)
    for level in range(levels):
        low = torch.ones_like(below)
        for line in frequencies:
            low = low * half_band(torch.cos(2**level * line))
        yield below * (1 - low), False
        below = below * low
    yield below, True
