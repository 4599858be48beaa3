"""IFCNN: two convolutions, an element-wise rule, two convolutions.

Zhang, Liu, Sun, Yan, Zhao and Zhang, Information Fusion 54, 2020 (`zhang2020ifcnn`), section 3.1.
"""

from typing import Literal

import torch
from torch import nn

from .layers import convolution

Rule = Literal["max", "sum", "mean"]


class Ifcnn(nn.Module):
    """Features of both images from shared layers, joined element by element by `rule`.

    Defining block: the rule is a choice made at run time (max, sum, mean) between the same layers. The first layer is
    7 x 7 as the one that the paper takes from a network trained on photographs; here it is trained with the rest, with
    fewer channels.
    """

    def __init__(self, channels: int = 24, rule: Rule = "max") -> None:
        super().__init__()
        self.rule: Rule = rule
        self.features = nn.Sequential(
            convolution(1, channels, 7), convolution(channels, channels, activation=nn.ReLU())
        )
        self.reconstruction = nn.Sequential(
            convolution(channels, channels, activation=nn.ReLU()), convolution(channels, 1, 1)
        )

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w) in 0…1; the order of the inputs does not matter."""
        return self.fuse(first, second, self.rule)

    def fuse(self, first: torch.Tensor, second: torch.Tensor, rule: Rule) -> torch.Tensor:
        """`forward` with another rule."""
        features = self.features(first), self.features(second)
        if rule == "max":
            joined = torch.maximum(*features)
        else:
            joined = (features[0] + features[1]) * (1.0 if rule == "sum" else 0.5)
        fused: torch.Tensor = self.reconstruction(joined)
        return fused.clamp(0, 1) if not self.training else fused
