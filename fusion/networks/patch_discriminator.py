"""The adversary of the generators: it says whether a patch is of a source or of a fused image.

Isola, Zhu, Zhou and Efros, CVPR 2017 (`isola2017`), section 3.2.2. Used in training alone.
"""

import torch
from torch import nn

from .layers import convolution


class PatchDiscriminator(nn.Module):
    """Strided convolutions to one score for each patch; further channels are the condition."""

    def __init__(self, inputs: int = 1, channels: int = 16, depth: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for k in range(depth):
            width = channels * 2**k
            layers.append(
                convolution(inputs if k == 0 else width // 2, width, 3, stride=2, activation=nn.LeakyReLU(0.2))
            )
        self.body = nn.Sequential(*layers, convolution(channels * 2 ** (depth - 1), 1, 3))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(n, inputs, h, w) to scores (n, 1, h/8, w/8), without sigmoid."""
        scores: torch.Tensor = self.body(image)
        return scores
