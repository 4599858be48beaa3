"""Training of the conditional GAN: towards a reference fusion, judged together with what it was made from."""

import torch
from torch import nn
from torch.nn import functional

from ..patch_discriminator import PatchDiscriminator
from .losses import least_squares_generator, least_squares_judge
from .objective import Objective
from .pairs import Batch

LEVELS = 3


class ConditionalTranslation(Objective):
    """Isola et al. 2017 (`isola2017`), eq. 4: the game on (first, second, image), and L1 to the reference."""

    def __init__(self, strength: float = 0.02, channels: int = 12) -> None:
        super().__init__()
        self.strength = strength
        self.judge = PatchDiscriminator(3, channels)

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        fused = network(batch.first, batch.second)
        game = least_squares_generator(self.judge(torch.cat([batch.first, batch.second, fused], dim=1)))
        loss: torch.Tensor = (fused - reference(batch.first, batch.second)).abs().mean() + self.strength * game
        return loss

    def adversary_loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        with torch.no_grad():
            fused = network(batch.first, batch.second)
        real = torch.cat([batch.first, batch.second, reference(batch.first, batch.second)], dim=1)
        return least_squares_judge(self.judge(real), self.judge(torch.cat([batch.first, batch.second, fused], dim=1)))

    def validation_loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        loss: torch.Tensor = (network(batch.first, batch.second) - reference(batch.first, batch.second)).abs().mean()
        return loss


def reference(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """A Laplacian pyramid of both (n, 1, h, w): the larger detail at each level, the brighter base."""
    details: list[torch.Tensor] = []
    for _ in range(LEVELS):
        bases = [functional.avg_pool2d(image, 2, ceil_mode=True, count_include_pad=False) for image in (first, second)]
        size = first.shape[-2:]
        detail = [
            image - functional.interpolate(base, size=size, mode="bilinear", align_corners=False)
            for image, base in zip((first, second), bases, strict=True)
        ]
        details.append(torch.where(detail[0].abs() >= detail[1].abs(), detail[0], detail[1]))
        first, second = bases
    fused = torch.maximum(first, second)
    for part in reversed(details):
        fused = part + functional.interpolate(fused, size=part.shape[-2:], mode="bilinear", align_corners=False)
    return fused.clamp(0, 1)
