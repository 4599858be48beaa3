"""MGMDcGAN: two conditional GANs in sequence; the second adds dense structure through a mask.

Huang, Le, Ma, Fan, Zhang and Yang, IEEE Access 8, 2020 (`huang2020`), section III.
"""

import torch
from torch import nn

from .layers import convolution

DENSE_QUANTILE = 0.9


class MgmdcGan(nn.Module):
    """The first generator fuses both images, the second one improves it where the first source is dense (bone).

    Defining block: `second_generator` sees the first result and the first source under `dense_mask`, and its own
    discriminator looks through the mask alone.
    """

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.first_generator = _generator(2, channels)
        self.second_generator = _generator(3, channels)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice, the first the one with dense structure, to (n, 1, h, w) in 0…1."""
        return self.both(first, second)[1]

    def both(self, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What each generator answers."""
        early = torch.sigmoid(self.first_generator(torch.cat([first, second], dim=1)))
        mask = dense_mask(first)
        late = torch.sigmoid(self.second_generator(torch.cat([early, first * mask, mask], dim=1)))
        return early, late


def dense_mask(image: torch.Tensor) -> torch.Tensor:
    """(n, 1, h, w): 1 where the image is among the brightest tenth of what is not background, soft at the edge."""
    flat = image.flatten(1)
    body = torch.where(flat > 0.05, flat, torch.nan)
    threshold = torch.nanquantile(body, DENSE_QUANTILE, dim=1).nan_to_num(1.0).clamp(0.3, 0.95)
    return torch.sigmoid((image - threshold[:, None, None, None]) / 0.05)


def _generator(inputs: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        convolution(inputs, channels, 5, activation=nn.LeakyReLU(0.2)),
        convolution(channels, channels, activation=nn.LeakyReLU(0.2)),
        convolution(channels, channels, activation=nn.LeakyReLU(0.2)),
        convolution(channels, 1),
    )
