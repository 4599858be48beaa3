"""Training of PMGI: in what proportion the gradients and the intensities of the sources are maintained."""

import torch
from torch import nn
from torch.nn import functional

from .objective import Objective
from .pairs import Batch

INTENSITY = (10.0, 3.0)
GRADIENT = (10.0, 30.0)
"""Of the first (functional or dense) and the second source: intensity mostly of the first, gradients of the second."""


class GradientAndIntensity(Objective):
    """Zhang et al. 2020 (`zhang2020pmgi`), eq. 1 to 4: four squared differences, weighted."""

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        fused = network(batch.first, batch.second)
        loss = torch.zeros((), device=fused.device)
        for source, intensity, gradient in zip((batch.first, batch.second), INTENSITY, GRADIENT, strict=True):
            loss = loss + intensity * (fused - source).square().mean()
            loss = loss + gradient * (_laplacian(fused) - _laplacian(source)).square().mean()
        return loss


def _laplacian(image: torch.Tensor) -> torch.Tensor:
    kernel = image.new_tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])[None, None]
    return functional.conv2d(functional.pad(image, (1, 1, 1, 1), mode="replicate"), kernel)
