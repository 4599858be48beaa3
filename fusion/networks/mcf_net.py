"""MCFNet: an encoder and decoder that meets the down-sampled inputs again at every level.

Liang, Hu, Zhang and others, IEEE Sensors Journal 19, 2019 (`liang2019`).
"""

import torch
from torch import nn

from .layers import convolution, halved, resized


class McfNet(nn.Module):
    """Three levels down and up.

    Defining block: multi-layer concatenation: each level of the decoder sees the encoder's features of its level and
    both inputs shrunk to its size.
    """

    def __init__(self, channels: int = 12, levels: int = 3) -> None:
        super().__init__()
        widths = [channels * 2**k for k in range(levels)]
        self.encoder = nn.ModuleList(
            nn.Sequential(
                convolution(2 if k == 0 else widths[k - 1], width, activation=nn.ReLU()),
                convolution(width, width, activation=nn.ReLU()),
            )
            for k, width in enumerate(widths)
        )
        self.decoder = nn.ModuleList(
            convolution(widths[k] + widths[k + 1] + 2, widths[k], activation=nn.ReLU()) for k in range(levels - 1)
        )
        self.out = convolution(channels, 1, activation=nn.Sigmoid())

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w) in 0…1."""
        inputs = [torch.cat([first, second], dim=1)]
        encoded = [self.encoder[0](inputs[0])]
        for layer in self.encoder[1:]:
            inputs.append(halved(inputs[-1]))
            encoded.append(layer(halved(encoded[-1])))
        features = encoded[-1]
        for k in reversed(range(len(self.decoder))):
            features = self.decoder[k](torch.cat([encoded[k], resized(features, encoded[k]), inputs[k]], dim=1))
        fused: torch.Tensor = self.out(features)
        return fused
