"""PMGI: a path for gradients, a path for intensity, and transfer between them.

Zhang, Xu, Xiao, Guo and Ma, AAAI 2020 (`zhang2020pmgi`), section 3.3.
"""

import torch
from torch import nn

from .layers import convolution


class Transfer(nn.Module):
    """Lets the two paths hear each other: both concatenated, a 1 x 1 convolution for each path (figure 3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_gradient = convolution(2 * channels, channels, 1, activation=nn.LeakyReLU(0.2))
        self.to_intensity = convolution(2 * channels, channels, 1, activation=nn.LeakyReLU(0.2))

    def forward(self, gradient: torch.Tensor, intensity: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features of both paths to what each receives."""
        both = torch.cat([gradient, intensity], dim=1)
        return self.to_gradient(both), self.to_intensity(both)


class Pmgi(nn.Module):
    """Two paths of four layers; the gradient path sees mostly the second image, the intensity path mostly the first.

    Defining block: `transfers` between the paths after the second and third layer, their outputs densely reused.
    """

    def __init__(self, channels: int = 12) -> None:
        super().__init__()
        widths = (3, channels, 2 * channels, 3 * channels)
        kernels = (5, 3, 3, 3)
        self.gradient = nn.ModuleList(
            convolution(width, channels, kernel, activation=nn.LeakyReLU(0.2))
            for width, kernel in zip(widths, kernels, strict=True)
        )
        self.intensity = nn.ModuleList(
            convolution(width, channels, kernel, activation=nn.LeakyReLU(0.2))
            for width, kernel in zip(widths, kernels, strict=True)
        )
        self.transfers = nn.ModuleList(Transfer(channels) for _ in range(2))
        self.out = convolution(8 * channels, 1, 1, activation=nn.Sigmoid())

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w) in 0…1."""
        g = [self.gradient[0](torch.cat([first, second, second], dim=1))]
        i = [self.intensity[0](torch.cat([first, first, second], dim=1))]
        g.append(self.gradient[1](g[0]))
        i.append(self.intensity[1](i[0]))
        from_transfer_g, from_transfer_i = self.transfers[0](g[1], i[1])
        g.append(self.gradient[2](torch.cat([g[1], from_transfer_g], dim=1)))
        i.append(self.intensity[2](torch.cat([i[1], from_transfer_i], dim=1)))
        from_transfer_g, from_transfer_i = self.transfers[1](g[2], i[2])
        g.append(self.gradient[3](torch.cat([g[1], g[2], from_transfer_g], dim=1)))
        i.append(self.intensity[3](torch.cat([i[1], i[2], from_transfer_i], dim=1)))
        fused: torch.Tensor = self.out(torch.cat([*g, *i], dim=1))
        return fused
