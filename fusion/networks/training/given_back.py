"""Training of FW-Net: both images are to be had back from the code."""

import torch
from torch import nn

from .losses import gradient_loss, pixel_loss, ssim_loss
from .objective import Objective
from .pairs import Batch


class GivenBack(Objective):
    """Fan et al. 2019 (`fan2019`): reconstruction of both sources from the code, and likeness of the code to them.

    Without the second part any code would do, also one that nobody can read.
    """

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        code = network(batch.first, batch.second)
        first, second = network.reconstruct(code)  # type: ignore[operator]
        back = pixel_loss(first, batch.first) + pixel_loss(second, batch.second)
        structure = (ssim_loss(code, batch.first) + ssim_loss(code, batch.second)) / 2
        edges = gradient_loss(code, batch.first, batch.second)
        brightness = pixel_loss(code, torch.maximum(batch.first, batch.second))
        return 5 * back + structure + 3 * edges + 3 * brightness
