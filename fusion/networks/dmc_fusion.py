"""DMC-Fusion: a cascade of auto-encoders, their features joined by a classifier's say.

Zuo, Zhang and Yang, IEEE JBHI 25, 2021 (`zuo2021`).
"""

import torch
from torch import nn

from .layers import convolution

CASCADE = 3


class DmcFusion(nn.Module):
    """Encoders one after the other, each fed with the features and what is still missing of the image.

    Defining blocks: the multi-cascade (`stages`: stage k codes the residual that stages before it left) and the
    classifier-based synthesis (`classifier` says, feature by feature, whose code to trust).
    """

    def __init__(self, channels: int = 12) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(
            nn.Sequential(
                convolution(1, channels, activation=nn.ReLU()), convolution(channels, channels, activation=nn.ReLU())
            )
            for _ in range(CASCADE)
        )
        self.decoders = nn.ModuleList(
            nn.Sequential(convolution(channels, channels, activation=nn.ReLU()), convolution(channels, 1))
            for _ in range(CASCADE)
        )
        self.classifier = nn.Sequential(
            convolution(channels, channels, activation=nn.ReLU()), convolution(channels, 1, 1)
        )

    def encode(self, image: torch.Tensor) -> list[torch.Tensor]:
        """(n, 1, h, w) to the codes of the cascade."""
        codes, missing = [], image
        for encoder, decoder in zip(self.encoders, self.decoders, strict=True):
            codes.append(encoder(missing))
            missing = missing - decoder(codes[-1])
        return codes

    def decode(self, codes: list[torch.Tensor]) -> torch.Tensor:
        """Codes to the image (n, 1, h, w): the sum of what each stage explains."""
        parts = [decoder(code) for decoder, code in zip(self.decoders, codes, strict=True)]
        return torch.stack(parts).sum(dim=0)

    def informative(self, code: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w): the classifier's score that a code stems from structure and not from noise or blur."""
        score: torch.Tensor = self.classifier(code)
        return score

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w); the order of the inputs does not matter."""
        joined = []
        for one, two in zip(self.encode(first), self.encode(second), strict=True):
            strength = torch.stack([code.abs().mean(dim=1, keepdim=True) for code in (one, two)])
            scores = torch.stack([self.informative(one), self.informative(two)])
            share = torch.softmax(scores + (strength + 1e-6).log(), dim=0)
            joined.append(share[0] * one + share[1] * two)
        return self.decode(joined).clamp(0, 1)
