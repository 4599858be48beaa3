"""U2Fusion: a dense network whose loss is weighted by the information in each source.

Xu, Ma, Jiang, Guo and Ling, IEEE TPAMI 44(1), 2022 (`xu2022`), sections 3.2 and 3.3.
"""

import torch
from torch import nn

from .layers import DenseBlock, convolution


class U2Fusion(nn.Module):
    """A densely connected network on both images stacked.

    Defining block: `information_shares`, which measures each source by the gradients of its features at several
    depths and turns them into the two weights of the loss (eq. 2 and 3); in the paper the features are VGG-16's.
    """

    def __init__(self, channels: int = 16, growth: int = 12) -> None:
        super().__init__()
        self.dense = nn.Sequential(
            convolution(2, channels, activation=nn.LeakyReLU(0.2)), DenseBlock(channels, growth, 5)
        )
        self.decoder = nn.Sequential(
            convolution(channels + 5 * growth, 32, activation=nn.LeakyReLU(0.2)),
            convolution(32, 16, activation=nn.LeakyReLU(0.2)),
            convolution(16, 1, activation=nn.Sigmoid()),
        )

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) twice to (n, 1, h, w) in 0…1."""
        fused: torch.Tensor = self.decoder(self.dense(torch.cat([first, second], dim=1)))
        return fused


def information_shares(
    first: list[torch.Tensor], second: list[torch.Tensor], temperature: float = 1e-3
) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, 1, 1, 1) weights of the two sources, adding to 1, from their feature maps at several depths (eq. 2, 3)."""
    measured = [
        torch.stack([_gradient_energy(features) for features in depths]).mean(dim=0) for depths in (first, second)
    ]
    shares = torch.softmax(torch.stack(measured) / temperature, dim=0)[:, :, None, None, None]
    return shares[0], shares[1]


def _gradient_energy(features: torch.Tensor) -> torch.Tensor:
    """(n,): mean squared Laplacian over channels and pixels."""
    kernel = features.new_tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
    channels = features.shape[1]
    padded = nn.functional.pad(features, (1, 1, 1, 1), mode="replicate")
    edges = nn.functional.conv2d(padded, kernel.expand(channels, 1, 3, 3), groups=channels)
    return edges.square().mean(dim=(1, 2, 3))
