"""FW-Net: two U-Nets in the shape of a W, an auto-encoder whose code is the fused image.

Fan, Hua, Chu, Yan and Wang, arXiv 1906.00225, 2019 (`fan2019`), section 2.
"""

import torch
from torch import nn

from .u_net import UNet


class FwNet(nn.Module):
    """The first U-Net makes one image of two, the second gives both back from it.

    Defining block: the code in the middle of the W is an image of one channel, the semantic map, and that is the
    result; the second U-Net is used in training alone.
    """

    def __init__(self, channels: int = 10) -> None:
        super().__init__()
        self.encoder = UNet(2, 1, channels)
        self.decoder = UNet(1, 2, channels)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to the code (n, 1, h, w) in 0…1."""
        return torch.sigmoid(self.encoder(torch.cat([first, second], dim=1)))

    def reconstruct(self, code: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Both inputs (n, 1, h, w) again, from the code."""
        both = torch.sigmoid(self.decoder(code))
        return both[:, :1], both[:, 1:]
