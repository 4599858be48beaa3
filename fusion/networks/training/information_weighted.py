"""Training of U2Fusion: each source counts by the information that it holds."""

import torch
from torch import nn

from ..u2_fusion import information_shares
from .losses.ssim import ssim
from .objective import Objective
from .pairs import Batch

DEPTHS = 3


class InformationWeighted(Objective):
    """Xu et al. 2022 (`xu2022`), eq. 4 to 7: SSIM and squared differences, weighted by `information_shares`.

    The features are means of ever larger regions instead of a network's: no network for photographs is at hand.
    """

    def __init__(self, intensity: float = 20.0) -> None:
        super().__init__()
        self.intensity = intensity

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        fused = network(batch.first, batch.second)
        shares = information_shares(_depths(batch.first), _depths(batch.second))
        loss = torch.zeros((), device=fused.device)
        for share, source in zip(shares, (batch.first, batch.second), strict=True):
            structure = (share * (1 - ssim(fused, source))).mean()
            intensity = (share * (fused - source).square()).mean()
            loss = loss + structure + self.intensity * intensity
        return loss


def _depths(image: torch.Tensor) -> list[torch.Tensor]:
    features = [image]
    for _ in range(DEPTHS - 1):
        features.append(nn.functional.avg_pool2d(features[-1], 2))
    return features
