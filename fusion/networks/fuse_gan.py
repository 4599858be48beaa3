"""FuseGAN: a Siamese generator of a confidence map, conditional least squares GAN, a refined map.

Guo, Nie, Cao, Zhou, Mei and He, IEEE TMM 21(8), 2019 (`guo2019`), sections III and IV.
"""

import torch
from torch import nn

from .layers import convolution, halved, resized


class FuseGan(nn.Module):
    """Both images through one encoder, a decoder to one map, the map refined by a conditional random field.

    Defining block: the generator answers with a map, not an image, and `refined` settles it by mean-field steps of a
    fully connected field over a neighbourhood (Kraehenbuehl and Koltun, 2011, `kraehenbuehl2011`), in which pixels of
    like brightness vote alike.
    """

    def __init__(self, channels: int = 12) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(
            (
                convolution(1, channels, activation=nn.ReLU()),
                convolution(channels, 2 * channels, activation=nn.ReLU()),
                convolution(2 * channels, 4 * channels, activation=nn.ReLU()),
            )
        )
        self.decoder = nn.ModuleList(
            (
                convolution(8 * channels + 4 * channels, 2 * channels, activation=nn.ReLU()),
                convolution(2 * channels + 2 * channels, channels, activation=nn.ReLU()),
            )
        )
        self.out = convolution(channels, 1, 1)

    def confidence(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w): how much each pixel should be the first image's, 0…1."""
        one, two = self._encoded(first), self._encoded(second)
        features = torch.cat([one[2], two[2]], dim=1)
        for layer, a, b in ((self.decoder[0], one[1], two[1]), (self.decoder[1], one[0], two[0])):
            features = layer(torch.cat([resized(features, a), a, b], dim=1))
        return torch.sigmoid(self.out(features))

    def _encoded(self, image: torch.Tensor) -> list[torch.Tensor]:
        features = [self.encoder[0](image)]
        for layer in self.encoder[1:]:
            features.append(layer(halved(features[-1])))
        return features

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w) between the two inputs."""
        share = self.confidence(first, second)
        if not self.training:
            share = refined(share, first, second)
        return share * first + (1 - share) * second


def refined(share: torch.Tensor, first: torch.Tensor, second: torch.Tensor, steps: int = 3) -> torch.Tensor:
    """The map after `steps` of mean field: each pixel hears its 24 neighbours, the more the more they look like it."""
    unary = torch.logit(share.clamp(1e-3, 1 - 1e-3))
    guide = (first + second) / 2
    offsets = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if (dy, dx) != (0, 0)]
    affinities = [
        torch.exp(-((_moved(guide, dy, dx) - guide) ** 2) / (2 * 0.1**2) - (dy**2 + dx**2) / (2 * 1.5**2))
        for dy, dx in offsets
    ]
    total = torch.stack(affinities).sum(dim=0).clamp_min(1e-6)
    for _ in range(steps):
        votes = torch.stack(
            [weight * (2 * _moved(share, dy, dx) - 1) for weight, (dy, dx) in zip(affinities, offsets, strict=True)]
        ).sum(dim=0)
        share = torch.sigmoid(unary + 2 * votes / total)
    return share


def _moved(image: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    padded = nn.functional.pad(image, (2, 2, 2, 2), mode="replicate")
    height, width = image.shape[-2:]
    return padded[..., 2 + rows : 2 + rows + height, 2 + columns : 2 + columns + width]
