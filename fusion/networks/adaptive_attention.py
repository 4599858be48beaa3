"""Attention within and between modalities, and losses that count by how well each modality does.

Li, Xie, Wang, Zhang and Zhou (`li2021attention`): attention-guided discriminative and adaptive fusion, made for
grading tumours. Here its two blocks that fuse are kept, intra- and inter-attention and the adaptive weighting; its
classification loss has no counterpart without classes.
"""

import torch
from torch import nn

from .layers import convolution


class AdaptiveAttention(nn.Module):
    """One encoder for each modality, both attentions, a decoder.

    Defining blocks: `intra` (each modality weights its own channels) and `inter` (each is weighted by what the other
    one shows), and `modality_weights` on the losses.
    """

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(
            nn.Sequential(
                convolution(1, channels, activation=nn.ReLU()), convolution(channels, channels, activation=nn.ReLU())
            )
            for _ in range(2)
        )
        self.intra = nn.ModuleList(_weighting(channels) for _ in range(2))
        self.inter = nn.ModuleList(_weighting(channels) for _ in range(2))
        self.decoder = nn.Sequential(
            convolution(2 * channels, channels, activation=nn.ReLU()),
            convolution(channels, channels, activation=nn.ReLU()),
            convolution(channels, 1, activation=nn.Sigmoid()),
        )

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w) in 0…1."""
        features = [encoder(image) for encoder, image in zip(self.encoders, (first, second), strict=True)]
        summaries = [each.mean(dim=(2, 3)) for each in features]
        weighted = [
            features[k] * (self.intra[k](summaries[k]) + self.inter[k](summaries[1 - k]))[:, :, None, None]
            for k in range(2)
        ]
        fused: torch.Tensor = self.decoder(torch.cat(weighted, dim=1))
        return fused


def modality_weights(losses: torch.Tensor) -> torch.Tensor:
    """Weights (2,), adding to 2, of the two modalities' losses (2,): the lower a loss, the more it counts."""
    inverse = 1 / losses.detach().clamp_min(1e-6)
    return 2 * inverse / inverse.sum()


def _weighting(channels: int) -> nn.Sequential:
    hidden = max(channels // 4, 2)
    return nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())
