"""Which share of a fused voxel is the first image's: the network behind `bounded` and `display`.

Evidence for one image against the other is measured at several scales: brightness, gradients, local contrast, detail.
All of it changes its sign when the images change places. A small network that sees only what does not change says how
much each piece counts, voxel by voxel; so the answer for exchanged images is the exchanged answer, by construction.
Everything between voxels is fixed and the same along every axis (differences, means, halving): what was learned on
planes holds in volumes, and what was learned counts in millimetres where the slices lie further apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from .evidence import EVEN, ODD, Axes, blurred, enlarged, evidence, halved, halving_axes

CONTEXT = 12
CARRIED = 6
LEVELS = 5
HIDDEN = (24, 72, 72, 72, 72)
"""Width at each level, finest first: the finest has most of the voxels and the coarsest most of the context."""

STRETCH = 0.05

SLAB = 2**17
"""Voxels of one level that are weighed at once when nothing is to be learned: what bounds the memory."""

HALO = 2
"""Samples beyond a slab that its answers depend on."""


class Weighing(nn.Module):
    """One level: even features and context from below to new context, and to gates on the odd features."""

    def __init__(self, hidden: int, carried_in: int, carried_out: int, context_in: int, context_out: int) -> None:
        super().__init__()
        self.odd_inputs = len(ODD) + carried_in
        self.first = nn.Linear(len(EVEN) + context_in, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.third = nn.Linear(hidden, self.odd_inputs + context_out)
        self.mixed = nn.Linear(self.odd_inputs, carried_out, bias=False)
        nn.init.normal_(self.third.weight, std=0.02)
        nn.init.zeros_(self.third.bias)

    def forward(self, even: torch.Tensor, odd: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, features, …) twice to the carried evidence and the context (n, channels, …)."""
        hidden = functional.relu(_pointwise(self.second, functional.relu(_pointwise(self.first, even))))
        answer = _pointwise(self.third, hidden)
        gates, context = answer[:, : self.odd_inputs], answer[:, self.odd_inputs :]
        return _pointwise(self.mixed, (1 + gates) * odd), torch.tanh(context)


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """Both images at one scale, the spacing there, and the axes that are halved below it."""

    first: torch.Tensor
    second: torch.Tensor
    spacing: tuple[float, ...]
    axes: Axes


class MixtureWeights(nn.Module):
    """Two images (n, 1, …) in 0…1, of two or three axes, to the weight of the first, in 0…1.

    Defining block: `Weighing` of antisymmetric evidence over a pyramid (`evidence`); w(b, a) = 1 - w(a, b). Without
    training it is close to taking the brighter voxel.
    """

    def __init__(self) -> None:
        super().__init__()
        levels = []
        for level in range(LEVELS):
            last, first = level == LEVELS - 1, level == 0
            levels.append(
                Weighing(
                    HIDDEN[level],
                    carried_in=0 if last else CARRIED,
                    carried_out=1 if first else CARRIED,
                    context_in=0 if last else CONTEXT,
                    context_out=0 if first else CONTEXT,
                )
            )
        self.levels = nn.ModuleList(levels)
        finest = levels[0].mixed
        with torch.no_grad():
            finest.weight.mul_(0.1)
            finest.weight[0, ODD.index("brighter")] = 4.0

    def forward(
        self, first: torch.Tensor, second: torch.Tensor, spacing: Sequence[float] | None = None
    ) -> torch.Tensor:
        """The weight of the first image (n, 1, …) in 0…1. `spacing` of the axes is needed when they differ."""
        return settled(self.logits(first, second, spacing))

    def logits(self, first: torch.Tensor, second: torch.Tensor, spacing: Sequence[float] | None = None) -> torch.Tensor:
        """Log odds of the first image (n, 1, …)."""
        pyramid = _pyramid(first, second, tuple(spacing or [1.0] * (first.ndim - 2)))
        below: tuple[torch.Tensor, torch.Tensor] | None = None
        for weighing, level in zip(reversed(self.levels), reversed(pyramid), strict=True):
            below = _weighed_in_slabs(weighing, level, below)
        assert below is not None
        return below[0]


def settled(logits: torch.Tensor) -> torch.Tensor:
    """Weights that are exactly 0 or 1 where the evidence is clear, so that such voxels are copies.

    A sigmoid stretched by `STRETCH` on both sides and cut; what is learned from passes as if it were not cut.
    """
    soft = torch.sigmoid(logits)
    if not logits.requires_grad:
        return soft.mul_(1 + 2 * STRETCH).sub_(STRETCH).clamp_(0, 1)
    cut = ((1 + 2 * STRETCH) * soft - STRETCH).clamp(0, 1)
    return soft + (cut - soft).detach()


def _pyramid(first: torch.Tensor, second: torch.Tensor, spacing: tuple[float, ...]) -> list[_Level]:
    pyramid = []
    for _ in range(LEVELS):
        axes = halving_axes(first.shape[2:], spacing)
        pyramid.append(_Level(first, second, spacing, axes))
        first, second = halved(first, axes), halved(second, axes)
        spacing = tuple(2 * step if axis in axes else step for axis, step in enumerate(spacing))
    return pyramid


def _weighed_in_slabs(
    weighing: nn.Module, level: _Level, below: tuple[torch.Tensor, torch.Tensor] | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Carried evidence and context of a level: at once when something is to be learned, else slab by slab."""
    extent = level.first.shape[2]
    step = max(2, SLAB // level.first[0, 0, 0].numel() // 2 * 2)
    if torch.is_grad_enabled() or step >= extent:
        return _weighed(weighing, level, below, 0, extent)
    whole: list[torch.Tensor] = []
    for start in range(0, extent, step):
        stop = min(start + step, extent)
        parts = _weighed(weighing, level, below, start, stop)
        if not whole:
            whole = [part.new_empty(*part.shape[:2], *level.first.shape[2:]) for part in parts]
        for place, part in zip(whole, parts, strict=True):
            place[:, :, start:stop] = part
    return whole[0], whole[1]


def _weighed(
    weighing: nn.Module, level: _Level, below: tuple[torch.Tensor, torch.Tensor] | None, start: int, stop: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Carried evidence and context of the level's samples `start` to `stop` along its first axis."""
    before, after = max(0, start - HALO), min(level.first.shape[2], stop + HALO)
    first, second = level.first[:, :, before:after], level.second[:, :, before:after]
    even, odd = (part[:, :, start - before : stop - before] for part in evidence(first, second, level.spacing))
    if below is not None:
        shape = (stop - start, *level.first.shape[3:])
        carried, context = (_enlarged(part, level.axes, start, shape) for part in below)
        odd, even = torch.cat([odd, carried], dim=1), torch.cat([even, context], dim=1)
    answer: tuple[torch.Tensor, torch.Tensor] = weighing(even, odd)
    return answer


def _enlarged(coarse: torch.Tensor, axes: Axes, start: int, shape: Sequence[int]) -> torch.Tensor:
    """The part of `coarse` from `start` on (along the first axis of the finer level) at the finer level's `shape`."""
    if 0 not in axes:
        part = coarse[:, :, start : start + shape[0]]
        return enlarged(blurred(part, axes), axes, shape)
    before = max(0, start // 2 - HALO)
    after = min(coarse.shape[2], -(-(start + shape[0]) // 2) + HALO)
    part = blurred(coarse[:, :, before:after], axes)
    whole = enlarged(part, axes, (2 * (after - before), *shape[1:]))
    return whole[:, :, start - 2 * before : start - 2 * before + shape[0]]


def _pointwise(layer: nn.Linear, features: torch.Tensor) -> torch.Tensor:
    """A linear layer on the channels (n, c, …) of every voxel."""
    product = torch.matmul(layer.weight, features.flatten(2))
    if layer.bias is not None:
        product = product + layer.bias[:, None]
    return product.reshape(*product.shape[:2], *features.shape[2:])
