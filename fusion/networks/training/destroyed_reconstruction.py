"""Training of TransMEF: to give back images of which parts were destroyed."""

import torch
from torch import nn

from ..trans_mef import destroyed
from .losses import pixel_loss, ssim_loss
from .objective import Objective
from .pairs import Batch


class DestroyedReconstruction(Objective):
    """Qu et al. 2022 (`qu2022`), eq. 1: squared difference and SSIM to the whole image, from the destroyed one."""

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        images = torch.cat([batch.first, batch.second])
        seen = destroyed(images, generator)
        given_back = network.decode(network.encode(seen))  # type: ignore[operator]
        return 5 * pixel_loss(given_back, images) + ssim_loss(given_back, images)
