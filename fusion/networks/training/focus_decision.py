"""Training of a weight map: which of two copies of an image is the sharp one, at each place."""

import torch
from torch import nn
from torch.nn import functional

from .blurring import complementary
from .losses.gradient import gradient_magnitude
from .objective import Objective
from .pairs import Batch

STRUCTURE = 0.02
"""Gradients well above this say something about sharpness; in flat places nothing can be learned."""


class FocusDecision(Objective):
    """Cross-entropy of `network.scores` on images blurred in complementary regions (Liu et al. 2017, `liu2017`).

    Places count by how much there is to see.
    """

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        images = torch.cat([batch.first, batch.second])
        first, second, first_sharp = complementary(images, generator)
        scores = network.scores(first, second)  # type: ignore[operator]
        size = scores.shape[-2:]
        label = 1 - functional.adaptive_avg_pool2d(first_sharp, size)[:, 0].round().to(torch.int64)
        seen = functional.adaptive_avg_pool2d(gradient_magnitude(images), size)[:, 0]
        weight = seen / (seen + STRUCTURE)
        loss = functional.cross_entropy(scores, label, reduction="none")
        return (weight * loss).sum() / weight.sum().clamp_min(1e-6)
