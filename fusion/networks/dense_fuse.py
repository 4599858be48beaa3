"""DenseFuse: an auto-encoder whose encoder is densely connected; two images meet as features.

Li and Wu, IEEE TIP 28(5), 2019 (`li2019`), sections III-A to III-C.
"""

from typing import Literal

import torch
from torch import nn

from .layers import DenseBlock, convolution
from .msd_net import by_strength

Rule = Literal["addition", "strength"]


class DenseFuse(nn.Module):
    """One convolution and a dense block of three, four convolutions to decode.

    Defining block: `encoder.1`, a `DenseBlock` with growth 16, as in the paper (64 channels at its end); the decoder's
    widths 64, 32, 16 are the paper's too. Trained to give back single images; two images are fused by the mean of their
    features (the paper's addition, in the scale that the decoder knows) or by their L1 strength (eq. 4 to 6).
    """

    def __init__(self, channels: int = 16, growth: int = 16, rule: Rule = "strength") -> None:
        super().__init__()
        self.rule: Rule = rule
        self.encoder = nn.Sequential(convolution(1, channels, activation=nn.ReLU()), DenseBlock(channels, growth, 3))
        width = channels + 3 * growth
        self.decoder = nn.Sequential(
            convolution(width, 64, activation=nn.ReLU()),
            convolution(64, 32, activation=nn.ReLU()),
            convolution(32, 16, activation=nn.ReLU()),
            convolution(16, 1),
        )

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) to features (n, 64, h, w)."""
        features: torch.Tensor = self.encoder(image)
        return features

    def decode(self, features: torch.Tensor) -> torch.Tensor:
        """Features to an image (n, 1, h, w), about 0…1."""
        image: torch.Tensor = self.decoder(features)
        return image

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w); the order of the inputs does not matter."""
        one, two = self.encode(first), self.encode(second)
        return self.decode((one + two) / 2 if self.rule == "addition" else by_strength(one, two))
