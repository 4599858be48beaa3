"""A network that tells modalities apart: its features serve where a paper takes those of a network for photographs.

Lahoud and Suesstrunk, FUSION 2019 (`lahoud2019`), and Kalamkar and Mary, IJACSA 13(12), 2022 (`kalamkar2022`), take
VGG-19 and ResNet trained on ImageNet; here a small network of VGG's form (Simonyan and Zisserman, 2015,
`simonyan2015`) is trained on the images at hand.
"""

import torch
from torch import nn

from .layers import convolution, halved

MODALITIES = ("CT", "MR", "PT", "NM")
TURNS = 4
CLASSES = len(MODALITIES) * TURNS


class FeatureClassifier(nn.Module):
    """Three blocks of two 3 x 3 convolutions with pooling between, a mean over the image, one linear layer.

    A class is a modality and a quarter turn, so that the features must look at structure, not at brightness alone.
    """

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        widths = (channels, 2 * channels, 3 * channels)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                convolution(1 if k == 0 else widths[k - 1], width, activation=nn.ReLU()),
                convolution(width, width, activation=nn.ReLU()),
            )
            for k, width in enumerate(widths)
        )
        self.classes = nn.Linear(widths[-1], CLASSES)

    def depths(self, image: torch.Tensor) -> list[torch.Tensor]:
        """(n, 1, h, w) to the feature maps after each block, each half as large as the one before."""
        features = [self.blocks[0](image)]
        for block in self.blocks[1:]:
            features.append(block(halved(features[-1])))
        return features

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) to class scores (n, CLASSES)."""
        scores: torch.Tensor = self.classes(self.depths(image)[-1].mean(dim=(2, 3)))
        return scores
