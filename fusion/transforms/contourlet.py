"""The non-subsampled contourlet transform: a pyramid whose details pass a tree of fan filters."""

from collections.abc import Iterator
from functools import partial

import torch

from .fourier_frame import Band, Bands, frequencies
from .maximally_flat import half_band, pyramid_bands

DEEPEST = 3
"""Stages of the directional tree: 2, 4 or 8 directions."""


def contourlet_bands(stages: tuple[int, ...]) -> Bands:
    """The tight frame of da Cunha, Zhou and Do 2006 (`dacunha2006`), a level for each of `stages`.

    The first is the finest; each level's details go into 2^stages directions in the plane of the last two axes. All
    filters are trigonometric polynomials under a root; those of coarser levels are spread by 2^level, pyramid and
    fans alike.
    """
    return partial(_bands, stages)


def _bands(stages: tuple[int, ...], lengths: tuple[int, ...], device: torch.device) -> Iterator[Band]:
    lines = frequencies(lengths, device)
    for level, (power, lowest) in enumerate(pyramid_bands(lines, len(stages))):
        if lowest or len(lines) < 2:
            yield Band(power.clamp(min=0).sqrt(), lengths, lowest)
            continue
        rows, columns = (2**level * line for line in lines[-2:])
        for fan in fans(rows, columns, stages[level]):
            yield Band((power * fan).clamp_(min=0).sqrt_(), lengths)


def fans(rows: torch.Tensor, columns: torch.Tensor, stages: int) -> Iterator[torch.Tensor]:
    """The squared responses of the directional filter bank (`bamberger1992`), which sum to one.

    Stage 1 tells steep from flat, stage 2 rising from falling, stage 3 halves each of the four. A stage is the same
    pair of filters with its frequencies turned by an integer matrix, which is what sampling between stages amounts to.
    """
    if stages == 0:
        yield torch.ones_like(rows * columns)
        return
    # cos ω_r − cos ω_c over 2: low where rows change fast and columns slowly.
    steep = half_band((torch.cos(columns) - torch.cos(rows)) / 2)
    for flat, first in enumerate((steep, 1 - steep)):
        if stages == 1:
            yield first
            continue
        rising = half_band(torch.sin(rows) * torch.sin(columns))
        for falling, second in enumerate((rising, 1 - rising)):
            if stages == 2:
                yield first * second
                continue
            # Within a quarter: on which side of the line where the faster frequency is twice the slower one.
            fast, slow = (columns, rows) if flat else (rows, columns)
            aside = 2 * slow + fast if falling else 2 * slow - fast
            outer = half_band(torch.sin(fast) * torch.sin(aside))
            yield first * second * outer
            yield first * second * (1 - outer)
