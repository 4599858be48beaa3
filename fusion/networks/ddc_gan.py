"""DDcGAN: one generator against two discriminators, for sources of different resolution.

Ma, Xu, Jiang, Mei and Zhang, IEEE TIP 29, 2020 (`ma2020`), sections III-B and III-C.
"""

import torch
from torch import nn

from .layers import DenseBlock, convolution, halved, resized


class DdcGan(nn.Module):
    """The second image is taken at a quarter of its resolution and enlarged by a learned layer; a dense encoder.

    Defining block: `enlarge` (the deconvolution that brings the coarse source up), and two discriminators: one sees
    the fused image against the fine source, one sees it shrunk against the coarse source.
    """

    def __init__(self, channels: int = 16, growth: int = 12) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(1, 1, 4, stride=4)
        self.fine = convolution(1, channels // 2, activation=nn.ReLU())
        self.coarse = convolution(1, channels // 2, activation=nn.ReLU())
        self.encoder = DenseBlock(channels, growth, 4)
        self.decoder = nn.Sequential(
            convolution(channels + 4 * growth, 32, activation=nn.ReLU()),
            convolution(32, 16, activation=nn.ReLU()),
            convolution(16, 1, activation=nn.Tanh()),
        )

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice, the second the coarse one, to (n, 1, h, w) in 0…1."""
        enlarged = resized(self.enlarge(quartered(second)), first)
        features = torch.cat([self.fine(first), self.coarse(enlarged)], dim=1)
        image: torch.Tensor = self.decoder(self.encoder(features))
        return (image + 1) / 2


def quartered(image: torch.Tensor) -> torch.Tensor:
    """A quarter of the size along each axis, by means."""
    return halved(halved(image))
