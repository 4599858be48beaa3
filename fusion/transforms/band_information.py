"""How much two bands tell about each other."""

import torch

from ..types import VoxelArray

BINS = 32
SAMPLES = 1_000_000


def shared_information(first: VoxelArray, second: VoxelArray) -> float:
    """2 I(A; B) / (H(A) + H(B)) of the sizes of two bands, 0 (independent) … 1 (one follows from the other).

    From a joint histogram of 32 × 32 bins up to the larger maximum, of evenly spaced samples.
    """
    ours, theirs = (_levels(band) for band in (first, second))
    joint = torch.bincount(ours * BINS + theirs, minlength=BINS * BINS).cpu().double().reshape(BINS, BINS)
    joint /= joint.sum()
    own, other, both = _entropy(joint.sum(dim=1)), _entropy(joint.sum(dim=0)), _entropy(joint)
    return 2 * (own + other - both) / (own + other) if own + other > 0 else 1.0


def _levels(band: VoxelArray) -> torch.Tensor:
    values = band.reshape(-1)
    values = values[:: max(1, values.numel() // SAMPLES)].abs()
    largest = values.max().clamp(min=1e-12)
    # Sizes of coefficients crowd at zero: the root spreads them over the bins.
    return (values / largest).sqrt_().mul_(BINS - 1).round_().long()


def _entropy(share: torch.Tensor) -> float:
    share = share[share > 0]
    return float(-(share * share.log()).sum())
