"""Training of DDcGAN: one judge at full resolution, one at a quarter of it."""

import torch

from ..ddc_gan import quartered
from .adversarial import Adversarial
from .pairs import Batch


class DualResolution(Adversarial):
    """Ma et al. 2020 (`ma2020`), eq. 2 to 7: the coarse source's judge sees the image small."""

    def __init__(self) -> None:
        super().__init__(sources=(0, 1), strength=0.05)

    def shown(self, image: torch.Tensor, source: int, batch: Batch) -> torch.Tensor:  # noqa: ARG002
        return quartered(image) if source == 1 else image
