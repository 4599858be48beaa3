"""TransMEF and TransFuse: an encoder of convolutions and a transformer, taught by destroyed images.

Qu, Liu, Wang and Song, AAAI 2022 (`qu2022`), section 3; the same authors' TransFuse, arXiv 2201.07451 (`qu2022b`).
"""

import torch
from torch import nn

from .layers import convolution, resized

PATCH = 16


class TransMef(nn.Module):
    """Features from convolutions and from a transformer over patches, added; a decoder.

    Defining blocks: `transformer` over patches of 16 x 16 beside the `local` convolutions, and the self-supervised
    task: to give back images of which patches were destroyed by brightness, frequency and order (`destroyed`).
    """

    def __init__(self, channels: int = 16, width: int = 48) -> None:
        super().__init__()
        self.local = nn.Sequential(
            convolution(1, channels, activation=nn.ReLU()),
            convolution(channels, channels, activation=nn.ReLU()),
            convolution(channels, channels, activation=nn.ReLU()),
        )
        self.patches = nn.Conv2d(1, width, PATCH, stride=PATCH)
        self.transformer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True)
        self.wide = convolution(width, channels, 1)
        self.decoder = nn.Sequential(
            convolution(channels, channels, activation=nn.ReLU()),
            convolution(channels, channels // 2, activation=nn.ReLU()),
            convolution(channels // 2, 1, activation=nn.Sigmoid()),
        )

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) to features (n, c, h, w)."""
        missing = [-extent % PATCH for extent in image.shape[-2:]]
        padded = nn.functional.pad(image, (0, missing[1], 0, missing[0]), mode="replicate")
        patches = self.patches(padded)
        n, c, h, w = patches.shape
        tokens = self.transformer(patches.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(n, c, h, w)
        wide = resized(self.wide(tokens), padded)[..., : image.shape[-2], : image.shape[-1]]
        features: torch.Tensor = self.local(image) + wide
        return features

    def decode(self, features: torch.Tensor) -> torch.Tensor:
        """Features to an image (n, 1, h, w) in 0…1."""
        image: torch.Tensor = self.decoder(features)
        return image

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w): features averaged (section 3.4); the order does not matter."""
        return self.decode((self.encode(first) + self.encode(second)) / 2)


def destroyed(image: torch.Tensor, generator: torch.Generator, share: float = 0.4) -> torch.Tensor:
    """`image` (n, 1, h, w) with a `share` of its patches of 16 x 16 destroyed in one of three ways (section 3.3).

    Brightness (a gamma of 0.3 to 3), frequency (blurred, as when high ones are lost), order (turned half round).
    """
    rows, columns = image.shape[-2] // PATCH, image.shape[-1] // PATCH
    result = image.clone()
    for n in range(len(image)):
        drawn = torch.rand(rows, columns, 3, generator=generator)
        for row, column in (drawn[..., 0] < share).nonzero().tolist():
            place = (n, 0, slice(row * PATCH, (row + 1) * PATCH), slice(column * PATCH, (column + 1) * PATCH))
            kind, strength = int(3 * drawn[row, column, 1]), float(drawn[row, column, 2])
            patch = image[place]
            if kind == 0:
                result[place] = patch.clamp(0, 1) ** (0.3 * 10**strength)
            elif kind == 1:
                result[place] = nn.functional.avg_pool2d(patch[None], 5, 1, 2, count_include_pad=False)[0]
            else:
                result[place] = patch.flip(0, 1)
    return result
