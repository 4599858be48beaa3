"""Training of DeepFuse: structure of the stronger patch, no reference."""

import torch
from torch import nn
from torch.nn import functional

from .objective import Objective
from .pairs import Batch

WINDOW = 8
C2 = 0.03**2


class ExposureSimilarity(Objective):
    """MEF-SSIM of Ma, Zeng and Wang (`ma2015`), eq. 1 to 9, as Prabhakar et al. 2017 (`prabhakar2017`) use it.

    The wanted patch has the contrast of the stronger source and the direction of both, weighted by strength. Its mean,
    which MEF-SSIM leaves free, is held to that of the brighter source.
    """

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        fused = network(batch.first, batch.second)
        patches = [_patches(image) for image in (batch.first, batch.second, fused)]
        structures = [patch - patch.mean(dim=1, keepdim=True) for patch in patches]
        contrasts = [structure.norm(dim=1, keepdim=True) for structure in structures]
        strongest = torch.maximum(contrasts[0], contrasts[1])
        direction = structures[0] * contrasts[0] + structures[1] * contrasts[1]
        wanted = strongest * direction / direction.norm(dim=1, keepdim=True).clamp_min(1e-6)
        size = WINDOW * WINDOW
        covariance = (wanted * structures[2]).sum(dim=1) / size
        energies = (wanted.square().sum(dim=1) + structures[2].square().sum(dim=1)) / size
        similarity = (2 * covariance + C2) / (energies + C2)
        brighter = torch.maximum(batch.first, batch.second)
        mean = (functional.avg_pool2d(fused, WINDOW) - functional.avg_pool2d(brighter, WINDOW)).square().mean()
        loss: torch.Tensor = 1 - similarity.mean() + 5 * mean
        return loss


def _patches(image: torch.Tensor) -> torch.Tensor:
    return functional.unfold(image, WINDOW, stride=WINDOW // 2)
