"""Crops of planes: at random places with something to see for training, in the middle for validation."""

from collections.abc import Sequence

import torch
from torch.nn import functional

from ..pairs import Batch, TrainingPair

TRIES = 4
LEAST_CONTENT = 0.3
"""A crop is taken when so much of it is not black, else the fullest of a few."""


def random_patches(pairs: Sequence[TrainingPair], size: int, generator: torch.Generator) -> Batch:
    """One crop of `size` x `size` of each pair; what is smaller is enlarged by its edge."""
    return _batch([_random_patch(pair, size, generator) for pair in pairs], pairs)


def central_patches(pairs: Sequence[TrainingPair], size: int, batch: int = 8) -> tuple[Batch, ...]:
    """The middle of each pair, in batches."""
    groups = [pairs[start : start + batch] for start in range(0, len(pairs), batch)]
    return tuple(_batch([_central_patch(pair, size) for pair in group], group) for group in groups)


def _batch(crops: list[torch.Tensor], pairs: Sequence[TrainingPair]) -> Batch:
    both = torch.stack(crops)
    return Batch(both[:, :1], both[:, 1:], tuple(pair.modalities for pair in pairs))


def _random_patch(pair: TrainingPair, size: int, generator: torch.Generator) -> torch.Tensor:
    both = _at_least(pair, size)
    fullest, content = both[:, :size, :size], -1.0
    for _ in range(TRIES):
        drawn = torch.rand(2, generator=generator)
        row, column = (int(drawn[axis] * (extent - size + 1)) for axis, extent in enumerate(both.shape[1:]))
        crop = both[:, row : row + size, column : column + size]
        here = float((crop.amax(dim=0) > 0.05).float().mean())
        if here > content:
            fullest, content = crop, here
        if content >= LEAST_CONTENT:
            break
    return fullest


def _central_patch(pair: TrainingPair, size: int) -> torch.Tensor:
    both = _at_least(pair, size)
    row, column = ((extent - size) // 2 for extent in both.shape[1:])
    return both[:, row : row + size, column : column + size]


def _at_least(pair: TrainingPair, size: int) -> torch.Tensor:
    both = torch.stack([pair.first, pair.second])
    missing = [max(0, size - extent) for extent in both.shape[1:]]
    return functional.pad(both[None], (0, missing[1], 0, missing[0]), mode="replicate")[0] if any(missing) else both
