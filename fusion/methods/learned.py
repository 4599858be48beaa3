"""What the learned methods share: a trained network that sees planes, applied to a volume."""

from dataclasses import asdict, dataclass
from typing import ClassVar

import torch
from torch import nn

from ..networks.weights import load_network
from ..volume import Volume
from .inputs import WindowChoice, aligned_pair
from .method import Fused
from .planes import fuse_planes


@dataclass(frozen=True, slots=True)
class LearnedMethod:
    """Fuses by the network `network` of `NETWORKS`; `name` is its entry in `METHODS`.

    `experimental` methods are chosen by nobody but a person who names them. A subclass whose network is more than a
    function of two planes overrides `fuse`.
    """

    name: ClassVar[str]
    network: ClassVar[str]
    experimental: ClassVar[bool] = True

    fixed_window: WindowChoice = None
    moved_window: WindowChoice = None

    def __call__(self, fixed: Volume, moved: Volume) -> Fused:
        """Fuse `moved` with `fixed`. Raises `UnusableWeightsError` where the network is not trained."""
        pair = aligned_pair(fixed, moved, self.fixed_window, self.moved_window)
        network = load_network(self.network, fixed.device)
        exchanged = self.exchanged(fixed, moved)
        with torch.no_grad():
            fused = fuse_planes(
                lambda first, second: self.fuse(network, *((second, first) if exchanged else (first, second))),
                pair.fixed,
                pair.moved_or_fixed,
                fixed.grid.spacing_mm,
            )
        image = pair.over_fixed(torch.nan_to_num(fused))
        return Fused(image, fixed.grid, self.name, asdict(self) | pair.windows)

    def exchanged(self, fixed: Volume, moved: Volume) -> bool:  # noqa: ARG002
        """Whether the network wants the moved image first; networks with a role for each image say so."""
        return False

    def fuse(self, network: nn.Module, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Planes (n, 1, h, w) twice to (n, 1, h, w), about 0…1."""
        fused: torch.Tensor = network(first, second)
        return fused
