"""An auto-encoder with attention that keeps what carries information: for PET and MR.

After the information-preserving weighted channel-spatial attention (ICS) that Zhang et al. describe for PET-MR fusion;
only the review's words were at hand (`zhang2021ics`), so the exact widths are ours.
"""

import torch
from torch import nn

from .layers import convolution


class IcsAttention(nn.Module):
    """Weights channels, then places, by how much information they hold.

    A channel's information is its standard deviation and mean over the image, a place's its mean, maximum and spread
    over the channels; both weights are added to 1, so that nothing is ever switched off (information-preserving).
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        hidden = max(channels // reduction, 2)
        self.channel = nn.Sequential(nn.Linear(2 * channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
        self.spatial = convolution(3, 1, 7)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(n, c, h, w) to the same, weighted."""
        means, spreads = features.mean(dim=(2, 3)), features.std(dim=(2, 3), unbiased=False)
        by_channel = torch.sigmoid(self.channel(torch.cat([means, spreads], dim=1)))[:, :, None, None]
        features = features * (1 + by_channel)
        places = [features.mean(dim=1), features.amax(dim=1), features.std(dim=1, unbiased=False)]
        weighted: torch.Tensor = features * (1 + torch.sigmoid(self.spatial(torch.stack(places, dim=1))))
        return weighted


class IcsAutoencoder(nn.Module):
    """An encoder with attention after each layer, a decoder; features of two images are joined by their attention.

    Defining block: `IcsAttention` in the encoder.
    """

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            convolution(1, channels, activation=nn.ReLU()),
            IcsAttention(channels),
            convolution(channels, 2 * channels, activation=nn.ReLU()),
            IcsAttention(2 * channels),
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
        """(n, 1, h, w) twice to (n, 1, h, w)."""
        encoded = self.encode(first), self.encode(second)
        strength = torch.stack([features.square().mean(dim=1, keepdim=True).sqrt() for features in encoded])
        shares = torch.softmax(4 * strength / strength.mean(dim=(0, 2, 3, 4), keepdim=True).clamp_min(1e-8), dim=0)
        return self.decode(shares[0] * encoded[0] + shares[1] * encoded[1])
