"""Training of auto-encoders: to give back single images."""

import torch
from torch import nn

from .losses import pixel_loss, ssim_loss
from .objective import Objective
from .pairs import Batch


class Reconstruction(Objective):
    """SSIM and pixel loss of `network.decode(network.encode(image))`, for each source.

    Li and Wu 2019 (`li2019`), eq. 1; `similarity` weighs SSIM against the pixels.
    """

    def __init__(self, similarity: float = 1.0) -> None:
        super().__init__()
        self.similarity = similarity

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        images = torch.cat([batch.first, batch.second])
        given_back = network.decode(network.encode(images))  # type: ignore[operator]
        return pixel_loss(given_back, images) + self.similarity * ssim_loss(given_back, images)
