"""Features in which two bands of coefficients can be compared: for fusion in the shearlet domain.

Hermessi, Mourali and Zagrouba, Neural Computing and Applications 30, 2018 (`hermessi2018`), section 3.
"""

import torch
from torch import nn

from .layers import convolution, halved, resized


class BandSimilarity(nn.Module):
    """Learns how alike two coefficients' neighbourhoods are.

    Defining block: the branches are compared by the normalised correlation of their feature maps (no classifier):
    where the bands agree they are averaged by energy, where they do not the stronger one is taken.
    """

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            convolution(1, channels, 5, activation=nn.Tanh()),
            convolution(channels, channels, activation=nn.Tanh()),
            convolution(channels, channels),
        )

    def features(self, band: torch.Tensor) -> torch.Tensor:
        """Coefficients (n, 1, h, w), of any scale, to features (n, c, h, w)."""
        scale = band.abs().mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-8)
        features: torch.Tensor = self.branch(band / scale)
        return features

    def similarity(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) in -1…1."""
        return nn.functional.cosine_similarity(self.features(first), self.features(second), dim=1)[:, None]

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Two bands (n, 1, h, w) to one; the order does not matter."""
        energy = [nn.functional.avg_pool2d(band.square(), 3, 1, 1, count_include_pad=False) for band in (first, second)]
        share = (energy[0] + 1e-12) / (energy[0] + energy[1] + 2e-12)
        averaged = share * first + (1 - share) * second
        stronger = torch.where(energy[0] >= energy[1], first, second)
        # At half the size: agreement varies slowly, and there are many bands.
        alike = resized(self.similarity(halved(first), halved(second)), first).clamp(0, 1)
        return alike * averaged + (1 - alike) * stronger
