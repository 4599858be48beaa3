"""What a training minimises."""

import torch
from torch import nn

from .pairs import Batch


class Objective(nn.Module):
    """A loss of a network on a batch.

    Parameters of an objective are an adversary's: when there are any, each step first lowers `adversary_loss` by
    them, then `forward` by the network's.
    """

    def forward(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        """The loss, a scalar. Whatever is drawn is drawn from `generator`."""
        raise NotImplementedError

    def adversary_loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        """The adversary's loss, a scalar; the network's parameters do not move by it."""
        raise NotImplementedError

    def validation_loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        """What early stopping looks at: the loss, if a subclass knows nothing better."""
        loss: torch.Tensor = self(network, batch, generator)
        return loss
