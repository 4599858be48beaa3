"""The non-subsampled shearlet transform: a pyramid whose details are cut into sheared cones."""

from collections.abc import Iterator
from functools import partial
from itertools import product

import torch

from .fourier_frame import Band, Bands, frequencies, oriented
from .maximally_flat import pyramid_bands
from .meyer import rise


def shearlet_bands(shears: tuple[int, ...]) -> Bands:
    """The frame of Easley, Labate and Lim 2008 (`easley2008`), a level for each of `shears`, finest first.

    A cone about each axis holds the frequencies that change fastest along it; within, windows of Meyer's shape select
    `shears` slopes along every other axis: 2 shears directions in a plane, 3 shears² in a volume (`negi2012`). The
    windows sum to one: the bands are simply added.
    """
    return partial(_bands, shears)


def _bands(shears: tuple[int, ...], lengths: tuple[int, ...], device: torch.device) -> Iterator[Band]:
    lines = frequencies(lengths, device)
    for level, (low, lowest) in enumerate(pyramid_bands(lines, len(shears))):
        if lowest or len(lines) < 2 or shears[level] == 0:
            yield Band(low, lengths, lowest)
            continue
        whole = torch.zeros([1] * len(lines), device=device)
        for cone in cones(lines, shears[level]):
            whole = whole + cone
        low = low / whole
        for cone in cones(lines, shears[level]):
            yield Band(cone * low, lengths)


def cones(lines: list[torch.Tensor], shears: int) -> Iterator[torch.Tensor]:
    """The windows of all axes and slopes, before they are divided by their sum."""
    lines = oriented(lines)
    nowhere = torch.ones([1] * len(lines), device=lines[0].device)
    for line in lines:
        nowhere = nowhere * (line == 0)
    for leading in range(len(lines)):
        others = [axis for axis in range(len(lines)) if axis != leading]
        for steps in product(range(shears), repeat=len(others)):
            window = torch.ones_like(nowhere)
            for axis, step in zip(others, steps, strict=True):
                window = window * _shear(lines[leading], lines[axis], (2 * step + 1) / shears - 1, 2 / shears)
            yield window + nowhere


def _shear(leading: torch.Tensor, other: torch.Tensor, centre: float, step: float) -> torch.Tensor:
    """Meyer's window over the slope ω_other / ω_leading: one at `centre`, nothing from the neighbours' centres on."""
    level = leading == 0
    slope = other / torch.where(level, 1.0, leading)
    return torch.where(level, 0.0, rise(1 - (slope - centre).abs() / step))
