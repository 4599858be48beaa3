"""Training against judges: the common part of the GANs here."""

from collections.abc import Sequence

import torch
from torch import nn

from ..patch_discriminator import PatchDiscriminator
from .losses import least_squares_generator, least_squares_judge
from .pairs import Batch
from .unsupervised_fusion import UnsupervisedFusion


class Adversarial(UnsupervisedFusion):
    """`UnsupervisedFusion` and a least-squares game against one judge for each of `sources` (0 first, 1 second).

    `strength` weighs the game. A subclass that shows its judges something else (a mask, a smaller image, a
    condition) overrides `shown`.
    """

    def __init__(self, sources: Sequence[int] = (1,), strength: float = 0.1, channels: int = 12) -> None:
        super().__init__()
        self.sources, self.strength = tuple(sources), strength
        self.judges = nn.ModuleList(PatchDiscriminator(1, channels) for _ in self.sources)

    def shown(self, image: torch.Tensor, source: int, batch: Batch) -> torch.Tensor:  # noqa: ARG002
        """What the judge of `source` sees of an image (n, 1, h, w)."""
        return image

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        fused = network(batch.first, batch.second)
        game = [
            least_squares_generator(judge(self.shown(fused, source, batch)))
            for judge, source in zip(self.judges, self.sources, strict=True)
        ]
        return self.of(fused, batch) + self.strength * torch.stack(game).mean()

    def adversary_loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        with torch.no_grad():
            fused = network(batch.first, batch.second)
        losses = []
        for judge, source in zip(self.judges, self.sources, strict=True):
            real = batch.second if source else batch.first
            losses.append(
                least_squares_judge(judge(self.shown(real, source, batch)), judge(self.shown(fused, source, batch)))
            )
        return torch.stack(losses).mean()

    def validation_loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        return self.of(network(batch.first, batch.second), batch)
