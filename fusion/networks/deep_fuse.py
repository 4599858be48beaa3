"""DeepFuse: a tied encoder, addition of features, a decoder.

Prabhakar, Srikar and Babu, ICCV 2017 (`prabhakar2017`), section 3.2 and figure 2.
"""

import torch
from torch import nn

from .layers import convolution


class DeepFuse(nn.Module):
    """Two convolutions shared by both inputs, their sum, three more convolutions.

    Defining block: the tied pre-fusion layers (one set of weights for both images) and the additive fusion. Filters
    are 5 x 5 and 7 x 7 as in the paper; channels are halved.
    """

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            convolution(1, channels // 2, 5, activation=nn.ReLU()),
            convolution(channels // 2, channels, 7, activation=nn.ReLU()),
        )
        self.decoder = nn.Sequential(
            convolution(channels, channels, 7, activation=nn.ReLU()),
            convolution(channels, channels // 2, 5, activation=nn.ReLU()),
            convolution(channels // 2, 1, 5, activation=nn.Sigmoid()),
        )

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w) in 0…1; the order of the inputs does not matter."""
        fused: torch.Tensor = self.decoder(self.encoder(first) + self.encoder(second))
        return fused
