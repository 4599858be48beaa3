"""Training of MGMDcGAN: two generators in sequence, judges for both, the second ones through the mask."""

import torch
from torch import nn

from ..mgmdc_gan import dense_mask
from ..patch_discriminator import PatchDiscriminator
from .losses import least_squares_generator, least_squares_judge, pixel_loss
from .pairs import Batch
from .unsupervised_fusion import UnsupervisedFusion


class SequentialGame(UnsupervisedFusion):
    """Huang et al. 2020 (`huang2020`), eq. 3 to 12: the loss of both answers, and a game at each stage."""

    def __init__(self, strength: float = 0.05, channels: int = 12) -> None:
        super().__init__()
        self.strength = strength
        self.judges = nn.ModuleList(PatchDiscriminator(1, channels) for _ in range(3))

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        early, late = network.both(batch.first, batch.second)  # type: ignore[operator]
        mask = dense_mask(batch.first)
        game = [
            least_squares_generator(judge(shown))
            for judge, shown in zip(self.judges, (early, early, late * mask), strict=True)
        ]
        dense = pixel_loss(late * mask, batch.first * mask)
        return self.of(early, batch) + self.of(late, batch) + 5 * dense + self.strength * torch.stack(game).mean()

    def adversary_loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        with torch.no_grad():
            early, late = network.both(batch.first, batch.second)  # type: ignore[operator]
        mask = dense_mask(batch.first)
        pairs = ((batch.first, early), (batch.second, early), (batch.first * mask, late * mask))
        losses = [
            least_squares_judge(judge(real), judge(made))
            for judge, (real, made) in zip(self.judges, pairs, strict=True)
        ]
        return torch.stack(losses).mean()

    def validation_loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        return self.of(network(batch.first, batch.second), batch)
