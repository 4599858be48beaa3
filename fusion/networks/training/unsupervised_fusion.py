"""Training of networks that fuse end to end, without a reference."""

import torch
from torch import nn

from .losses import gradient_loss, pixel_loss, ssim_loss
from .objective import Objective
from .pairs import Batch


class UnsupervisedFusion(Objective):
    """Towards both sources in structure, the stronger in gradient and the brighter in intensity.

    The weights are those of SSIM (mean of both), gradients and intensity.
    """

    def __init__(self, similarity: float = 1.0, gradient: float = 5.0, intensity: float = 5.0) -> None:
        super().__init__()
        self.similarity, self.gradient, self.intensity = similarity, gradient, intensity

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        return self.of(network(batch.first, batch.second), batch)

    def of(self, fused: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The loss of a fused image (n, 1, h, w)."""
        similarity = (ssim_loss(fused, batch.first) + ssim_loss(fused, batch.second)) / 2
        intensity = pixel_loss(fused, torch.maximum(batch.first, batch.second))
        gradient = gradient_loss(fused, batch.first, batch.second)
        return self.similarity * similarity + self.gradient * gradient + self.intensity * intensity
