"""A network whose every layer looks with kernels of several sizes at once.

After Reddy et al. as review 002 describes them (its reference 48, `reddy2021`); the pyramidal convolution is that of
Duta, Liu, Zhu and Shao, arXiv 2006.11538, 2020 (`duta2020`), section 3.
"""

import torch
from torch import nn

from .layers import convolution

KERNELS = (3, 5, 7, 9)
GROUPS = (1, 2, 4, 4)


class PyramidalConvolution(nn.Module):
    """Kernels of 3 to 9 pixels side by side, the larger ones in more groups, each giving a quarter of the channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            convolution(inputs, outputs // len(KERNELS), kernel, groups=groups if inputs % groups == 0 else 1)
            for kernel, groups in zip(KERNELS, GROUPS, strict=True)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(n, inputs, h, w) to (n, outputs, h, w)."""
        return torch.relu(torch.cat([level(features) for level in self.levels], dim=1))


class PyramidalKernelCnn(nn.Module):
    """Both images stacked, two pyramidal layers, a reconstruction.

    Defining block: `PyramidalConvolution`.
    """

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(2, channels, activation=nn.ReLU()),
            PyramidalConvolution(channels, channels),
            PyramidalConvolution(channels, channels),
            convolution(channels, 1, activation=nn.Sigmoid()),
        )

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w) in 0…1."""
        fused: torch.Tensor = self.body(torch.cat([first, second], dim=1))
        return fused
