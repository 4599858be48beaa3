"""A GAN whose generator has a dense block in its encoder.

Zhao, Wang and Lei, Neural Computing and Applications 33, 2021 (`zhao2021`).
"""

import torch
from torch import nn

from .layers import DenseBlock, convolution


class DenseGan(nn.Module):
    """A dense encoder on both images stacked, a decoder that narrows step by step.

    Defining block: the `DenseBlock` of the generator's encoder, trained against one discriminator for each source.
    """

    def __init__(self, channels: int = 16, growth: int = 16) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            convolution(2, channels, activation=nn.LeakyReLU(0.2)), DenseBlock(channels, growth, 4)
        )
        self.decoder = nn.Sequential(
            convolution(channels + 4 * growth, 32, activation=nn.LeakyReLU(0.2)),
            convolution(32, 16, activation=nn.LeakyReLU(0.2)),
            convolution(16, 1, activation=nn.Sigmoid()),
        )

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w) in 0…1."""
        fused: torch.Tensor = self.decoder(self.encoder(torch.cat([first, second], dim=1)))
        return fused
