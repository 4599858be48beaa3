"""MSDNet: a dense auto-encoder with filters of three sizes side by side.

Song, Wu and Li, ICIG 2019 (`song2019`): DenseFuse whose encoder sees three scales.
"""

import torch
from torch import nn

from .layers import DenseBlock, convolution

KERNELS = (3, 5, 7)


class MsdNet(nn.Module):
    """An encoder of three parallel dense branches (3 x 3, 5 x 5, 7 x 7), a fusion rule on features, a decoder.

    Defining block: `branches`, one dense block for each filter size, joined channel by channel. Trained to give back
    single images; two images are fused by their features' strengths (the L1-norm rule of the paper), counted from the
    features of black: what the layers' offsets add to both makes any two images look equally strong.
    """

    def __init__(self, channels: int = 8, growth: int = 8) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                convolution(1, channels, kernel, activation=nn.ReLU()), DenseBlock(channels, growth, 2, kernel)
            )
            for kernel in KERNELS
        )
        width = len(KERNELS) * (channels + 2 * growth)
        self.decoder = nn.Sequential(
            convolution(width, 2 * channels, activation=nn.ReLU()),
            convolution(2 * channels, channels, activation=nn.ReLU()),
            convolution(channels, 1, activation=nn.Sigmoid()),
        )

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) to features (n, c, h, w)."""
        return torch.cat([branch(image) for branch in self.branches], dim=1)

    def decode(self, features: torch.Tensor) -> torch.Tensor:
        """Features to an image (n, 1, h, w) in 0…1."""
        image: torch.Tensor = self.decoder(features)
        return image

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w)."""
        nothing = self.encode(first.new_zeros(1, 1, 1, 1))
        return self.decode(by_strength(self.encode(first), self.encode(second), nothing))


def by_strength(
    first: torch.Tensor, second: torch.Tensor, nothing: torch.Tensor | float = 0.0, radius: int = 1
) -> torch.Tensor:
    """Features weighted by their local L1 norm (Li and Wu 2019, `li2019`, eq. 4 to 6), counted from `nothing`."""
    size = 2 * radius + 1
    norms = [(features - nothing).abs().sum(dim=1, keepdim=True) for features in (first, second)]
    strengths = [nn.functional.avg_pool2d(norm, size, 1, radius, count_include_pad=False) for norm in norms]
    share = (strengths[0] + 1e-8) / (strengths[0] + strengths[1] + 2e-8)
    return share * first + (1 - share) * second
