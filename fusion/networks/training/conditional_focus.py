"""Training of FuseGAN: a judge sees both images and a map, and says whether it is the true one."""

import torch
from torch import nn
from torch.nn import functional

from ..patch_discriminator import PatchDiscriminator
from .blurring import complementary
from .losses import least_squares_generator, least_squares_judge
from .objective import Objective
from .pairs import Batch


class ConditionalFocus(Objective):
    """The conditional least-squares game on maps, and their cross-entropy (Guo et al. 2019, `guo2019`, eq. 5 to 8)."""

    def __init__(self, strength: float = 0.05, channels: int = 12) -> None:
        super().__init__()
        self.strength = strength
        self.judge = PatchDiscriminator(3, channels)

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        first, second, truth = complementary(batch.first, generator)
        answer = network.confidence(first, second)  # type: ignore[operator]
        game = least_squares_generator(self.judge(torch.cat([first, second, answer], dim=1)))
        return functional.binary_cross_entropy(answer.clamp(1e-5, 1 - 1e-5), truth) + self.strength * game

    def adversary_loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        first, second, truth = complementary(batch.first, generator)
        with torch.no_grad():
            answer = network.confidence(first, second)  # type: ignore[operator]
        real = self.judge(torch.cat([first, second, truth], dim=1))
        return least_squares_judge(real, self.judge(torch.cat([first, second, answer], dim=1)))
