"""IFT: fusion of multi-scale features by a local and a global branch.

Vibashan, Valanarasu, Oza and Patel, ICIP 2022 (`vibashan2022`), section 3: the spatio-transformer fusion.
"""

import torch
from torch import nn

from .layers import convolution, halved, resized


class AxialAttention(nn.Module):
    """Self-attention along rows, then along columns (Ho et al., arXiv 1912.12180, 2019, `ho2019`)."""

    def __init__(self, channels: int, heads: int = 2) -> None:
        super().__init__()
        self.rows = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.columns = nn.MultiheadAttention(channels, heads, batch_first=True)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(n, c, h, w) to the same size."""
        n, c, h, w = features.shape
        lines = features.permute(0, 2, 3, 1).reshape(n * h, w, c)
        features = features + self._along(self.rows, lines).reshape(n, h, w, c).permute(0, 3, 1, 2)
        lines = features.permute(0, 3, 2, 1).reshape(n * w, h, c)
        return features + self._along(self.columns, lines).reshape(n, w, h, c).permute(0, 3, 2, 1)

    @staticmethod
    def _along(attention: nn.Module, lines: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = attention(lines, lines, lines, need_weights=False)[0]
        return answer


class SpatioTransformerFusion(nn.Module):
    """Joins the features of two images: what is near by convolutions, what is far by axial attention (figure 2)."""

    def __init__(self, channels: int, attend_at: int = 2) -> None:
        super().__init__()
        self.halvings = attend_at
        self.mixed = convolution(2 * channels, channels, 1)
        self.local = nn.Sequential(
            convolution(2 * channels, channels, activation=nn.ReLU()), convolution(channels, channels)
        )
        self.attention = AxialAttention(channels)
        self.joined = convolution(2 * channels, channels, activation=nn.ReLU())

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Features (n, c, h, w) twice to (n, c, h, w)."""
        both = torch.cat([first, second], dim=1)
        wide = self.mixed(both)
        for _ in range(self.halvings):  # attention over whole lines of a volume's slice costs too much at full size
            wide = halved(wide)
        wide = resized(self.attention(wide), both)
        joined: torch.Tensor = self.joined(torch.cat([self.local(both), wide], dim=1))
        return joined


class Ift(nn.Module):
    """A shared encoder of two scales, a `SpatioTransformerFusion` at each, a decoder.

    Defining block: the fusion itself, learned with a convolutional and a transformer branch.
    """

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.fine = convolution(1, channels, activation=nn.ReLU())
        self.coarse = convolution(channels, 2 * channels, activation=nn.ReLU())
        self.fine_fusion = SpatioTransformerFusion(channels, attend_at=2)
        self.coarse_fusion = SpatioTransformerFusion(2 * channels, attend_at=1)
        self.decoder = nn.Sequential(
            convolution(3 * channels, channels, activation=nn.ReLU()),
            convolution(channels, 1, activation=nn.Sigmoid()),
        )

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w) in 0…1."""
        fine = self.fine(first), self.fine(second)
        coarse = self.coarse(halved(fine[0])), self.coarse(halved(fine[1]))
        features = [self.fine_fusion(*fine), resized(self.coarse_fusion(*coarse), first)]
        fused: torch.Tensor = self.decoder(torch.cat(features, dim=1))
        return fused
