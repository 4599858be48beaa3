"""Normalised mutual information of many poses at once, with its derivative by the moving values.

Studholme, Hill and Hawkes, Pattern Recognition 32 (1999) 71-86, eq. 6: (H(F) + H(M)) / H(F, M), from 1
(independent) to 2 (one determines the other). The joint histogram has linear Parzen windows on both axes (the
first-order form of Thevenaz and Unser, IEEE TIP 9 (2000) 2083-2099), so that it is differentiable in the values.
Counts are whole numbers in units of 2^-20 sample: sums of integers do not depend on their order, which keeps the
answer the same on every run on a GPU, too.
"""

from dataclasses import dataclass

import torch

UNIT = 2**20
"""One sample in the integer histogram: rounding to it moves the similarity by less than 1e-8."""


EMPTY_LOG = -12.0
"""Least logarithm of a probability in the derivative, below that of one sample: the true slope at an empty bin is
infinite, over a range that no step is small enough to stay in."""


@dataclass(frozen=True, slots=True, eq=False)
class Windowed:
    """Values 0 to 1 as positions between two neighbouring bins: `lower` (…, n) int64 and `upper_share` (…, n)."""

    lower: torch.Tensor
    upper_share: torch.Tensor

    @classmethod
    def of(cls, values: torch.Tensor, bins: int) -> "Windowed":
        """Spread `values`, from 0 to 1, over `bins` bins."""
        return cls.at(positions_of(values, bins), bins)

    @classmethod
    def at(cls, positions: torch.Tensor, bins: int) -> "Windowed":
        """Values that are already `positions` from 0 to `bins` - 1."""
        lower = positions.floor().clamp_max(bins - 2)
        return cls(lower.to(torch.int64), positions - lower)


def positions_of(values: torch.Tensor, bins: int) -> torch.Tensor:
    """Where `values`, from 0 to 1, lie on an axis of `bins` bins."""
    return values.clamp(0, 1) * (bins - 1)


def joint_histogram(fixed: Windowed, moving: Windowed, weight: torch.Tensor, bins: int) -> torch.Tensor:
    """(poses, bins, bins) float64 probabilities of fixed and moving bins over the samples, each by its `weight`.

    `fixed` is (1 or poses, n); `moving` and `weight`, 0 to 1 or boolean, are (poses, n). A pose without a sample inside
    gets zeros.
    """
    poses = moving.lower.shape[0]
    offset = torch.arange(poses, device=moving.lower.device)[:, None] * (bins * bins)
    corner = offset + fixed.lower * bins + moving.lower
    weight = weight * float(UNIT)
    upper = weight * moving.upper_share
    counts = torch.zeros(poses * bins * bins, dtype=torch.int64, device=corner.device)
    for step, part in ((1, upper), (0, weight - upper)):
        of_upper = part * fixed.upper_share
        counts.scatter_add_(0, (corner + bins + step).reshape(-1), of_upper.round().to(torch.int64).reshape(-1))
        counts.scatter_add_(0, (corner + step).reshape(-1), (part - of_upper).round().to(torch.int64).reshape(-1))
    joint = counts.reshape(poses, bins, bins).to(torch.float64)
    return joint / joint.sum(dim=(1, 2), keepdim=True).clamp_min(1)


def normalised_mutual_information(joint: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(poses, bins, bins) probabilities to NMI (poses,) and its derivative by each probability."""
    tiny = 1e-12
    log_joint = joint.clamp_min(tiny).log()
    log_fixed = joint.sum(dim=2).clamp_min(tiny).log()
    log_moving = joint.sum(dim=1).clamp_min(tiny).log()
    entropy = -(joint * log_joint).sum(dim=(1, 2)).clamp_max(-tiny)
    entropies = -(joint.sum(dim=2) * log_fixed).sum(dim=1) - (joint.sum(dim=1) * log_moving).sum(dim=1)
    ratio = entropies / entropy
    bounded = log_joint.clamp_min(EMPTY_LOG)
    slope = -(log_fixed[:, :, None] + log_moving[:, None, :] + 2) + ratio[:, None, None] * (bounded + 1)
    return ratio, slope / entropy[:, None, None]


def by_moving_value(
    slope: torch.Tensor, fixed: Windowed, moving: Windowed, weight: torch.Tensor, bins: int
) -> torch.Tensor:
    """(poses, n): how the similarity changes with each moving value (in bins), by the chain rule of the windows."""
    rise = torch.nn.functional.pad(slope[:, :, 1:] - slope[:, :, :-1], (0, 1))
    low, high = _rows(rise, fixed, moving, bins)
    count = weight.sum(dim=1, keepdim=True).clamp_min(1)
    return torch.lerp(low, high, fixed.upper_share.expand_as(low)) * weight / count


def by_weight(
    slope: torch.Tensor, joint: torch.Tensor, fixed: Windowed, moving: Windowed, weight: torch.Tensor, bins: int
) -> torch.Tensor:
    """(poses, n): how the similarity changes with the weight of each sample."""
    level = slope - (slope * joint).sum(dim=(1, 2), keepdim=True)
    rise = torch.nn.functional.pad(level[:, :, 1:] - level[:, :, :-1], (0, 1))
    (low, high), (low_rise, high_rise) = _rows(level, fixed, moving, bins), _rows(rise, fixed, moving, bins)
    low, high = torch.addcmul(low, moving.upper_share, low_rise), torch.addcmul(high, moving.upper_share, high_rise)
    count = weight.sum(dim=1, keepdim=True).clamp_min(1)
    return torch.lerp(low, high, fixed.upper_share.expand_as(low)) / count


def _rows(table: torch.Tensor, fixed: Windowed, moving: Windowed, bins: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(poses, n) float32 each: what `table` (poses, bins, bins) holds at each sample's lower and upper fixed bin."""
    flat = table.to(torch.float32).reshape(-1)
    offset = torch.arange(table.shape[0], device=table.device)[:, None] * (bins * bins)
    corner = offset + fixed.lower * bins + moving.lower
    low = flat.index_select(0, corner.reshape(-1)).reshape(corner.shape)
    return low, flat.index_select(0, (corner + bins).reshape(-1)).reshape(corner.shape)
