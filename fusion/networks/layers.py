"""Layers that several architectures share. Images are (batch, channel, row, column) float32, in 0…1 at the ends."""

import torch
from torch import nn


def convolution(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    activation: nn.Module | None = None,
) -> nn.Sequential:
    """A convolution that keeps the size (for stride 1) by repeating the edge, then its activation if there is one.

    Zeros beyond the edge would be a dark frame that no image has.
    """
    padding = dilation * (kernel // 2)
    layers: list[nn.Module] = [
        nn.Conv2d(
            inputs,
            outputs,
            kernel,
            stride=stride,
            padding=padding,
            padding_mode="replicate",
            dilation=dilation,
            groups=groups,
        )
    ]
    return nn.Sequential(*layers, *([] if activation is None else [activation]))


class DenseBlock(nn.Module):
    """Convolutions of which each sees the outputs of all before it (Huang et al., CVPR 2017, `huang2017`).

    `inputs` channels become `inputs + layers * growth`.
    """

    def __init__(self, inputs: int, growth: int, layers: int = 3, kernel: int = 3) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            convolution(inputs + k * growth, growth, kernel, activation=nn.ReLU()) for k in range(layers)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(n, inputs, h, w) to (n, inputs + layers * growth, h, w)."""
        for layer in self.layers:
            features = torch.cat([features, layer(features)], dim=1)
        return features


def halved(image: torch.Tensor) -> torch.Tensor:
    """Half the size along each axis that has more than one element, rounded up, by means."""
    kernel = [2 if extent > 1 else 1 for extent in image.shape[-2:]]
    return nn.functional.avg_pool2d(image, kernel, ceil_mode=True, count_include_pad=False)


def resized(image: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """`image` at the rows and columns of `like`, bilinearly."""
    if image.shape[-2:] == like.shape[-2:]:
        return image
    return nn.functional.interpolate(image, size=like.shape[-2:], mode="bilinear", align_corners=False)
