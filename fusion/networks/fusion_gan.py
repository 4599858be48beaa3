"""FusionGAN: a generator and one discriminator that asks for the second image's detail.

Ma, Yu, Liang, Li and Jiang, Information Fusion 48, 2019 (`ma2019`), section 3.2.
"""

import torch
from torch import nn

from .layers import convolution


class FusionGan(nn.Module):
    """Five convolutions on both images stacked, no pooling, the last one 1 x 1 with tanh.

    Defining block: the game with one discriminator, which tells the fused image from the second source. Channels are
    an eighth of the paper's.
    """

    def __init__(self, channels: int = 32) -> None:
        super().__init__()

        def layer(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
            return nn.Sequential(convolution(inputs, outputs, kernel), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2))

        self.generator = nn.Sequential(
            layer(2, channels, 5),
            layer(channels, channels // 2, 5),
            layer(channels // 2, channels // 4, 3),
            layer(channels // 4, channels // 4, 3),
            convolution(channels // 4, 1, 1, activation=nn.Tanh()),
        )

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w) in 0…1."""
        image: torch.Tensor = self.generator(torch.cat([first, second], dim=1))
        return (image + 1) / 2
