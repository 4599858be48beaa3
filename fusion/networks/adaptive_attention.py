"""Attention-guided fusion whose modality weights follow from the losses.

After Li et al. as review 002 describes them (its reference 49, `li2021attention`): channel attention on each source's
features, and the weight of each modality learned from how hard it is to keep (here as the homoscedastic uncertainty of
Kendall, Gal and Cipolla, CVPR 2018, `kendall2018`, eq. 7).
"""

import torch
from torch import nn

from .layers import convolution


class AdaptiveAttention(nn.Module):
    """One encoder for each modality, channel attention, fusion, a decoder.

    Defining block: `log_variances`, trained with the weights: the loss of source k counts exp(-s_k), and s_k is the
    price of counting it less.
    """

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(
            nn.Sequential(
                convolution(1, channels, activation=nn.ReLU()), convolution(channels, channels, activation=nn.ReLU())
            )
            for _ in range(2)
        )
        self.attention = nn.Sequential(
            nn.Linear(2 * channels, channels), nn.ReLU(), nn.Linear(channels, 2 * channels), nn.Sigmoid()
        )
        self.decoder = nn.Sequential(
            convolution(2 * channels, channels, activation=nn.ReLU()),
            convolution(channels, channels, activation=nn.ReLU()),
            convolution(channels, 1, activation=nn.Sigmoid()),
        )
        self.log_variances = nn.Parameter(torch.zeros(2))

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w) in 0…1."""
        features = torch.cat([self.encoders[0](first), self.encoders[1](second)], dim=1)
        weights = self.attention(features.mean(dim=(2, 3)))[:, :, None, None]
        fused: torch.Tensor = self.decoder(features * weights)
        return fused

    def weighted(self, losses: torch.Tensor) -> torch.Tensor:
        """The two sources' losses (2,) as one."""
        return (torch.exp(-self.log_variances) * losses + self.log_variances).sum()
