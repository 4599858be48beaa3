"""Training of the attention-guided network: the modality that is served better counts more."""

import torch
from torch import nn

from ..adaptive_attention import modality_weights
from .losses import gradient_loss, ssim_loss
from .losses.pixel import pixel_loss
from .objective import Objective
from .pairs import Batch


class AdaptiveWeighting(Objective):
    """The loss of each source, weighted by `modality_weights` (`li2021attention`); gradients are of both."""

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        fused = network(batch.first, batch.second)
        brighter = torch.maximum(batch.first, batch.second)
        losses = torch.stack([ssim_loss(fused, batch.first), ssim_loss(fused, batch.second)])
        weighted = (modality_weights(losses) * losses).sum() / 2
        return weighted + 5 * gradient_loss(fused, batch.first, batch.second) + 5 * pixel_loss(fused, brighter)
