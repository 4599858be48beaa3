"""Information in bits: of the fused image alone, and shared with its sources.

Grey levels are rounded to 256 bins first, as the 8-bit literature has them; values beyond 0…255 count as the ends. The
joint histograms know no neighbourhood, so a volume's value is that of all its voxels.
"""

import math

import torch

from .local_windows import Image, Values

LEVELS = 256


def en(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Entropy of the fused image, -Σ p log₂ p over 256 grey levels: 0 … 8 bits (Shannon).

    Noise and a lifted background raise it, so more is not better by itself.
    """
    return _entropy(_flat(fused, dimensions))


def mi(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """I(A; F) + I(B; F) in bits (Qu, Zhang and Yan 2002, `qu2002`); higher is better.

    Others report nats (0.693 of this) or call the sum FF. It favours plain mixtures of grey levels over sharp details.
    """
    first, second = _shared(fixed, fused, dimensions), _shared(moved, fused, dimensions)
    return first + second


ff = mi
"""Fusion factor: another name of the same sum."""


def nmi(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """2 (I(A; F) / (H(A) + H(F)) + I(B; F) / (H(B) + H(F))), 0 … 2; higher is better.

    Hossny, Nahavandi and Creighton 2008 (`hossny2008`). A source that is constant together with a constant fused image
    counts as 0.
    """
    fused_entropy = en(fixed, moved, fused, dimensions)
    total = torch.zeros_like(fused_entropy)
    for source in (fixed, moved):
        both = _entropy(_flat(source, dimensions)) + fused_entropy
        total = total + torch.where(both > 0, 2 * _shared(source, fused, dimensions) / both.clamp_min(1e-12), 0.0)
    return total


def fs(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Fusion symmetry, 2 - |I(A; F) / (I(A; F) + I(B; F)) - 1/2|: 2 where both sources give as much, at least 1.5.

    Others report |…| alone, whose best is 0. No shared information at all counts as 2.
    """
    first, second = _shared(fixed, fused, dimensions), _shared(moved, fused, dimensions)
    both = first + second
    return 2 - torch.where(both > 0, (first / both.clamp_min(1e-12) - 0.5).abs(), 0.0)


def fi(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Fusion index, I(A; F) / I(B; F): 1 where both sources give as much; neither more nor less is better.

    The reviews that name it give no formula, and the values that they print (20 to 32) follow none of the published
    ones; this is the ratio that goes with FS and FF. Without anything shared with B it is 0 (then nothing is shared
    with A either, or B is constant).
    """
    first, second = _shared(fixed, fused, dimensions), _shared(moved, fused, dimensions)
    return torch.where(second > 0, first / second.clamp_min(1e-12), 0.0)


def _flat(image: Image, dimensions: int) -> torch.Tensor:
    """(…, voxels) int64 grey levels."""
    levels = image.detach().round().clamp(0, LEVELS - 1).to(torch.int64)
    return levels.flatten(levels.ndim - dimensions)


def _entropy(levels: torch.Tensor, count: int = LEVELS) -> Values:
    """Of the last axis, in bits."""
    rows = levels.reshape(-1, levels.shape[-1])
    offset = torch.arange(rows.shape[0], device=rows.device)[:, None] * count
    counts = torch.bincount((rows + offset).reshape(-1), minlength=rows.shape[0] * count).reshape(-1, count)
    share = counts.to(torch.float64) / rows.shape[1]
    nats: torch.Tensor = torch.special.entr(share).sum(dim=1)
    return (nats / math.log(2)).reshape(levels.shape[:-1])


def _shared(source: Image, fused: Image, dimensions: int) -> Values:
    """Mutual information in bits, at least 0."""
    first, second = _flat(source, dimensions), _flat(fused, dimensions)
    joint = _entropy(first * LEVELS + second, LEVELS * LEVELS)
    return (_entropy(first) + _entropy(second) - joint).clamp_min(0)
