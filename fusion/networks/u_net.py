"""A small U-Net: the body of several networks here.

Ronneberger, Fischer and Brox, MICCAI 2015 (`ronneberger2015`), with bilinear enlargement instead of up-convolution.
"""

import torch
from torch import nn

from .layers import convolution, halved, resized


class UNet(nn.Module):
    """`inputs` channels to `outputs` channels (no activation at the end) over `levels` resolutions."""

    def __init__(self, inputs: int, outputs: int, channels: int = 8, levels: int = 3, dropout: float = 0.0) -> None:
        super().__init__()
        widths = [channels * 2**k for k in range(levels)]
        self.down = nn.ModuleList(
            nn.Sequential(
                convolution(inputs if k == 0 else widths[k - 1], width, activation=nn.LeakyReLU(0.2)),
                convolution(width, width, activation=nn.LeakyReLU(0.2)),
            )
            for k, width in enumerate(widths)
        )
        self.up = nn.ModuleList(
            nn.Sequential(
                convolution(widths[k] + widths[k + 1], widths[k], activation=nn.LeakyReLU(0.2)), nn.Dropout2d(dropout)
            )
            for k in range(levels - 1)
        )
        self.out = convolution(channels, outputs, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(n, inputs, h, w) to (n, outputs, h, w)."""
        skipped = [self.down[0](image)]
        for layer in self.down[1:]:
            skipped.append(layer(halved(skipped[-1])))
        features = skipped[-1]
        for k in reversed(range(len(self.up))):
            features = self.up[k](torch.cat([skipped[k], resized(features, skipped[k])], dim=1))
        result: torch.Tensor = self.out(features)
        return result
