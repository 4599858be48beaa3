"""A curvelet frame: rings of frequencies, cut into more and narrower wedges the finer they are."""

from collections.abc import Iterator
from functools import partial
from math import pi, sqrt

import torch

from .extension import fast_length
from .fourier_frame import Band, Bands, frequencies, oriented
from .meyer import rise

GOLDEN = (1 + sqrt(5)) / 2

VERTICES = ((0.0, 1.0, GOLDEN), (0.0, 1.0, -GOLDEN))
FACES = ((0.0, 1 / GOLDEN, GOLDEN), (0.0, 1 / GOLDEN, -GOLDEN))

FULL = 2 / 3
"""The widest low-pass window ends at this share of π; it is one up to the half."""


def curvelet_bands(levels: int, wedges: int) -> Bands:
    """The tight frame of Candès and others 2006 (`candes2006`), in as many dimensions as axes are given.

    Concentric squares or cubes by Meyer's windows, each ring divided into wedges. In a plane there are `wedges` of them
    in the finest ring (a direction and its opposite are one wedge), and half as many two rings further in: length and
    width of a curvelet are as scale to its square. In a volume (`ying2005`) the finest ring has 16 wedges about the
    axes of an icosahedron and its dual, the next ones 10, 10, 6. Bands are sampled as coarsely as their ring allows.
    """
    return partial(_bands, levels, wedges)


def _bands(levels: int, wedges: int, lengths: tuple[int, ...], device: torch.device) -> Iterator[Band]:
    reach = 2.0
    for level in range(levels):
        grid = _grid(lengths, reach)
        lines = _lines(lengths, grid, device)
        ring = (_low(lines, reach).square() - _low(lines, reach / 2).square()).clamp_(min=0).sqrt_()
        for wedge in _wedges(lines, directions(len(lengths), wedges, level), ring):
            yield Band(wedge, grid)
        reach /= 2
    grid = _grid(lengths, reach)
    yield Band(_low(_lines(lengths, grid, device), reach), grid, lowest=True)


def _grid(lengths: tuple[int, ...], reach: float) -> tuple[int, ...]:
    """The smallest fast even grid that holds all frequencies below `reach` · `FULL` · π."""
    return tuple(min(n, fast_length(int(n * min(1.0, reach * FULL)) + 4, 2)) for n in lengths)


def _lines(lengths: tuple[int, ...], grid: tuple[int, ...], device: torch.device) -> list[torch.Tensor]:
    """The frequencies of the small grid, in those of the large one."""
    return [line * (m / n) for line, m, n in zip(frequencies(grid, device), grid, lengths, strict=True)]


def _low(lines: list[torch.Tensor], reach: float) -> torch.Tensor:
    """One up to half of `reach` · `FULL` · π along every axis, nothing above; everywhere one for a reach of 2."""
    window = torch.ones([1] * len(lines), device=lines[0].device)
    if reach < 2:
        for line in lines:
            window = window * torch.sin(pi / 2 * rise(2 - line.abs() / (pi * reach * FULL / 2)))
    return window


def directions(ndim: int, wedges: int, level: int) -> torch.Tensor:
    """(count, ndim): unit vectors, one of each pair of opposite ones, evenly spread."""
    if ndim < 2:
        return torch.ones(1, ndim)
    if ndim == 2:
        count = max(4, wedges // 2 ** ((level + 1) // 2))
        angles = pi * torch.arange(count, dtype=torch.float64) / count
        return torch.stack([torch.sin(angles), torch.cos(angles)], dim=1).float()
    vertices = [(line[-shift:] + line[:-shift]) if shift else line for line in VERTICES for shift in range(3)]
    faces = [(line[-shift:] + line[:-shift]) if shift else line for line in FACES for shift in range(3)]
    faces += [(1.0, a, b) for a in (-1.0, 1.0) for b in (-1.0, 1.0)]
    chosen = (vertices + faces, faces, faces)[level] if level < 3 else vertices
    spread = torch.nn.functional.normalize(torch.tensor(chosen, dtype=torch.float64))
    return spread.float()


def _wedges(lines: list[torch.Tensor], towards: torch.Tensor, ring: torch.Tensor) -> Iterator[torch.Tensor]:
    """Windows about each direction whose squares sum to that of `ring`, which is used up."""
    if len(towards) == 1:
        yield ring
        return
    width = 1 - float((towards @ towards.T).square().fill_diagonal_(0).max(dim=0).values.min())
    lines = oriented(lines)
    size = torch.zeros([1] * len(lines), device=lines[0].device)
    for line in lines:
        size = size + line.square()
    nowhere = size == 0
    inverse = size.masked_fill_(nowhere, 1.0).reciprocal_()
    total = torch.zeros_like(inverse)
    for direction in towards:
        total += _wedge(lines, inverse, nowhere, direction, width).square_()
    scale = ring.mul_(total.rsqrt_())
    del total
    for direction in towards:
        yield _wedge(lines, inverse, nowhere, direction, width).mul_(scale)


def _wedge(
    lines: list[torch.Tensor], inverse: torch.Tensor, nowhere: torch.Tensor, direction: torch.Tensor, width: float
) -> torch.Tensor:
    along = float(direction[0]) * lines[0]
    for part, line in zip(direction[1:], lines[1:], strict=True):
        along = along + float(part) * line
    # The squared sine of the angle over that to the next direction: nothing of a wedge is left there.
    away = along.square_().mul_(inverse).sub_(1).div_(-width)
    window: torch.Tensor = away.neg_().add_(1).clamp_(min=0).square_().masked_fill_(nowhere, 1.0)
    return window
