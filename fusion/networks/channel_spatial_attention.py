"""MMI-Fuse: an auto-encoder whose features are joined by how much information each source keeps, and by attention.

Shi, Zhang, Ye, Qin, Zhou and Lei, IEEE Access 10, 2022 (`shi2022`): the information preservation weighted
channel-spatial attention (ICS) for PET and MR. Written after the abstract and the review's words; widths are ours.
"""

import torch
from torch import nn

from .layers import convolution


class IcsAutoencoder(nn.Module):
    """An encoder and a decoder, trained to give back single images.

    Defining block: `ics`, which joins the features of two images: attention along the channels and over the plane, and
    on top of both the weight of each source by the information that its features preserve.
    """

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            convolution(1, channels, activation=nn.ReLU()),
            convolution(channels, 2 * channels, activation=nn.ReLU()),
            convolution(2 * channels, 2 * channels, activation=nn.ReLU()),
        )
        self.decoder = nn.Sequential(
            convolution(2 * channels, channels, activation=nn.ReLU()),
            convolution(channels, channels, activation=nn.ReLU()),
            convolution(channels, 1, activation=nn.Sigmoid()),
        )

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) to features (n, c, h, w)."""
        features: torch.Tensor = self.encoder(image)
        return features

    def decode(self, features: torch.Tensor) -> torch.Tensor:
        """Features to an image (n, 1, h, w) in 0…1."""
        image: torch.Tensor = self.decoder(features)
        return image

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w); the order of the inputs does not matter."""
        return self.decode(ics(self.encode(first), self.encode(second)))


def ics(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Features (n, c, h, w) of two images as one.

    Channel attention from the means of the channels, spatial attention from the strengths of the places, each a share
    between the two sources; their mean is weighted by the sources' preserved information: the gradients of the
    features.
    """
    both = torch.stack([first, second])
    by_channel = _shares(both.mean(dim=(3, 4), keepdim=True))
    by_place = _shares(both.abs().mean(dim=2, keepdim=True))
    gradients = both.diff(dim=3).abs().mean(dim=(2, 3, 4), keepdim=True) if both.shape[3] > 1 else both.new_zeros(1)
    gradients = gradients + (both.diff(dim=4).abs().mean(dim=(2, 3, 4), keepdim=True) if both.shape[4] > 1 else 0)
    preserved = _shares(gradients.expand(2, both.shape[1], 1, 1, 1))
    weights = (by_channel + by_place) / 2 * preserved
    return (weights * both).sum(dim=0) / weights.sum(dim=0).clamp_min(1e-12)


def _shares(strength: torch.Tensor) -> torch.Tensor:
    return (strength + 1e-8) / (strength.sum(dim=0) + 2e-8)
