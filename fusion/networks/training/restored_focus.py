"""Training on pairs with a known answer: one image, blurred in complementary places."""

import torch
from torch import nn

from .blurring import complementary
from .losses import pixel_loss, ssim_loss
from .objective import Objective
from .pairs import Batch


class RestoredFocus(Objective):
    """The fused image is to be the sharp one: squared difference, and `similarity` times SSIM for what is perceived.

    Half of each batch are true pairs, of which the brighter voxel is the answer, so that the network also learns what
    two modalities are. After Zhang et al. 2020 (`zhang2020ifcnn`), section 3.3, whose perceptual loss takes features of
    a network for photographs.
    """

    def __init__(self, similarity: float = 1.0) -> None:
        super().__init__()
        self.similarity = similarity

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        first, second, _ = complementary(batch.first, generator)
        loss = self._towards(network(first, second), batch.first)
        brighter = torch.maximum(batch.first, batch.second)
        return (loss + self._towards(network(batch.first, batch.second), brighter)) / 2

    def _towards(self, fused: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return 10 * pixel_loss(fused, wanted) + self.similarity * ssim_loss(fused, wanted)
