"""Normalised mutual information of many poses at once, with its derivative by the moving values.

Studholme, Hill and Hawkes, Pattern Recognition 32 (1999) 71-86, eq. 6: (H(F) + H(M)) / H(F, M), from 1
(independent) to 2 (one determines the other). The joint histogram has linear Parzen windows on both axes (the
first-order form of Thevenaz and Unser, IEEE TIP 9 (2000) 2083-2099), so that it is differentiable in the values.
Counts are whole numbers in units of 1/4096 sample: sums of integers do not depend on their order, which keeps the
answer the same on every run on a GPU, too.
"""

from dataclasses import dataclass

import torch

UNIT = 4096
"""One sample in the integer histogram; 2^31 / 4096 allows half a million samples a bin."""


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
        position = values.clamp(0, 1) * (bins - 1)
        lower = position.floor().clamp_max(bins - 2)
        return cls(lower.to(torch.int64), position - lower)


def joint_histogram(fixed: Windowed, moving: Windowed, inside: torch.Tensor, bins: int) -> torch.Tensor:
    """(poses, bins, bins) float64 probabilities of fixed and moving bins over the samples that are `inside`.

    `fixed` is (1 or poses, n); `moving` and `inside` are (poses, n). A pose without a sample inside gets zeros.
    """
    poses = moving.lower.shape[0]
    offset = torch.arange(poses, device=moving.lower.device)[:, None] * (bins * bins)
    corner = offset + fixed.lower * bins + moving.lower
    weight = inside * float(UNIT)
    upper = weight * moving.upper_share
    counts = torch.zeros(poses * bins * bins, dtype=torch.int32, device=corner.device)
    for step, part in ((1, upper), (0, weight - upper)):
        of_upper = part * fixed.upper_share
        counts.scatter_add_(0, (corner + bins + step).reshape(-1), of_upper.round().to(torch.int32).reshape(-1))
        counts.scatter_add_(0, (corner + step).reshape(-1), (part - of_upper).round().to(torch.int32).reshape(-1))
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
    slope: torch.Tensor, fixed: Windowed, moving: Windowed, inside: torch.Tensor, bins: int
) -> torch.Tensor:
    """(poses, n): how the similarity changes with each moving value (in bins), by the chain rule of the windows."""
    poses = slope.shape[0]
    rise = (slope[:, :, 1:] - slope[:, :, :-1]).to(torch.float32)
    table = torch.nn.functional.pad(rise, (0, 1)).reshape(-1)
    offset = torch.arange(poses, device=slope.device)[:, None] * (bins * bins)
    corner = offset + fixed.lower * bins + moving.lower
    low = table.index_select(0, corner.reshape(-1)).reshape(corner.shape)
    high = table.index_select(0, (corner + bins).reshape(-1)).reshape(corner.shape)
    count = inside.sum(dim=1, keepdim=True).clamp_min(1)
    return torch.lerp(low, high, fixed.upper_share.expand_as(low)) * inside / count
