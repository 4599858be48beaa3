"""Training of features in which bands of coefficients are compared."""

import torch
from torch import nn

from .blurring import blurred
from .objective import Objective
from .pairs import Batch

MARGIN = 0.2


class BandAgreement(Objective):
    """The same detail under another contrast is alike, detail of another place is not.

    Similarity learning as in Hermessi et al. 2018 (`hermessi2018`): a margin on the cosine of the features. A band is
    what a blur takes away; its counterpart has another gain and some noise, its stranger is shifted by a quarter.
    """

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        images = torch.cat([batch.first, batch.second])
        band = images - blurred(images, generator)
        gain = 0.3 + 1.4 * torch.rand(len(images), 1, 1, 1, generator=generator).to(band)
        noise = torch.randn(band.shape, generator=generator).to(band)
        scale = band.abs().mean(dim=(1, 2, 3), keepdim=True)
        counterpart = gain * band + 0.1 * scale * noise
        stranger = band.roll((band.shape[2] // 4, band.shape[3] // 4), dims=(2, 3))
        strength = band.abs() / (band.abs() + scale + 1e-6)
        alike = network.similarity(band, counterpart)  # type: ignore[operator]
        unlike = network.similarity(band, stranger)  # type: ignore[operator]
        loss = (1 - alike) + torch.relu(unlike - MARGIN)
        mean: torch.Tensor = (strength * loss).sum() / strength.sum().clamp_min(1e-6)
        return mean
