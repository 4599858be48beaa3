"""The conditional GAN of pix2pix: a U-Net generator against a discriminator of patches.

Isola, Zhu, Zhou and Efros, CVPR 2017 (`isola2017`), sections 3.1 to 3.3.
"""

import torch
from torch import nn

from .u_net import UNet


class ConditionalGan(nn.Module):
    """A U-Net from both images to one.

    Defining block: skips between mirrored layers, noise by dropout alone, and in training a discriminator that judges
    patches of the image together with both sources (the condition), with an L1 term towards a reference fusion.
    """

    def __init__(self, channels: int = 12) -> None:
        super().__init__()
        self.generator = UNet(2, 1, channels, levels=4, dropout=0.3)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w) in 0…1."""
        return torch.sigmoid(self.generator(torch.cat([first, second], dim=1)))
