"""A Siamese network that says which of two images is in focus at each place: a weight map.

Liu, Chen, Cheng and Peng, FUSION 2017 (`liu2017`), section II: three shared convolutions, one pooling, two fully
connected layers as convolutions.
"""

import torch
from torch import nn

from .layers import convolution, halved, resized


class SiameseWeightMap(nn.Module):
    """Two images to the probability, at each place, that the first one carries the more.

    Defining block: one set of convolutions for both (`branch`), joined once, two classes; trained on patches that are
    sharp in one image and blurred in the other, used on whole images.
    """

    def __init__(self, channels: int = 12) -> None:
        super().__init__()
        self.branch = nn.ModuleList(
            (
                convolution(1, channels, activation=nn.ReLU()),
                convolution(channels, 2 * channels, activation=nn.ReLU()),
                convolution(2 * channels, 4 * channels, activation=nn.ReLU()),
            )
        )
        self.joined = nn.Sequential(
            convolution(8 * channels, 4 * channels, 5, activation=nn.ReLU()), convolution(4 * channels, 2, 1)
        )

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) to features at half the size."""
        early = self.branch[1](self.branch[0](image))
        features: torch.Tensor = self.branch[2](halved(early))
        return features

    def scores(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 2, h/2, w/2): the two classes before the softmax."""
        scores: torch.Tensor = self.joined(torch.cat([self.features(first), self.features(second)], dim=1))
        return scores

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to the weight of the first (n, 1, h, w) in 0…1; both orders are asked and averaged."""
        there = torch.softmax(self.scores(first, second), dim=1)[:, :1]
        back = torch.softmax(self.scores(second, first), dim=1)[:, 1:]
        return resized((there + back) / 2, first)
