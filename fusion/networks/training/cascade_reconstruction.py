"""Training of DMC-Fusion: the cascade gives back images, the classifier tells structure from what is none."""

import torch
from torch import nn
from torch.nn import functional

from .blurring import blurred
from .objective import Objective
from .pairs import Batch
from .reconstruction import Reconstruction


class CascadeReconstruction(Objective):
    """Reconstruction, and a classifier for codes of sharp images against those of blurred ones (`zuo2021`)."""

    def __init__(self, classification: float = 0.1) -> None:
        super().__init__()
        self.classification = classification
        self._reconstruction = Reconstruction()

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        loss: torch.Tensor = self._reconstruction(network, batch, generator)
        images = torch.cat([batch.first, batch.second])
        noise = 0.05 * torch.randn(images.shape, generator=generator).to(images)
        worse = blurred(images, generator) + noise
        judged = torch.zeros((), device=images.device)
        for sharp, poor in zip(network.encode(images), network.encode(worse), strict=True):  # type: ignore[operator]
            scores = network.informative(torch.cat([sharp.detach(), poor.detach()]))  # type: ignore[operator]
            labels = torch.cat([torch.ones_like(scores[: len(images)]), torch.zeros_like(scores[len(images) :])])
            judged = judged + functional.binary_cross_entropy_with_logits(scores, labels)
        return loss + self.classification * judged
