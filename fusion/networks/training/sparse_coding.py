"""Training of the sparse auto-encoder: patches given back from few active units."""

import torch
from torch import nn
from torch.nn import functional

from ..sparse_autoencoder import sparsity_penalty
from .objective import Objective
from .pairs import Batch


class SparseCoding(Objective):
    """Squared error of patches without their means, and the divergence of the units' activity (`ng2011`, eq. 9)."""

    def __init__(self, sparsity: float = 1e-4) -> None:
        super().__init__()
        self.sparsity = sparsity

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:  # noqa: ARG002
        images = torch.cat([batch.first, batch.second])
        patch = int(network.patch)  # type: ignore[arg-type]
        patches = functional.unfold(images, patch, stride=patch // 2).transpose(1, 2).reshape(-1, patch * patch)
        patches = patches - patches.mean(dim=1, keepdim=True)
        patches = patches[patches.abs().amax(dim=1) > 0.02]
        if len(patches) == 0:
            patches = torch.zeros(1, patch * patch, device=images.device)
        codes = network.codes(patches)  # type: ignore[operator]
        given_back = network.patches(codes)  # type: ignore[operator]
        loss: torch.Tensor = 10 * (given_back - patches).square().mean() + self.sparsity * sparsity_penalty(codes)
        return loss
