"""What the methods share that let a trained network weigh the bands of a transform."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import ClassVar

import torch
from torch import nn

from ..networks.layers import halved, resized
from ..networks.weights import load_network
from ..types import VoxelArray
from ..volume import Volume
from .inputs import WindowChoice, aligned_pair
from .method import Fused

PIXELS_AT_ONCE = 2**18
"""Planes are handed to the network in batches of about this many pixels: what bounds its memory."""

Rule = Callable[[VoxelArray, VoxelArray], VoxelArray]
"""From the coefficients of both images to the fused ones."""


@dataclass(frozen=True, slots=True)
class LearnedBands:
    """Fuses coefficients by the network `network` of `NETWORKS`; `name` is its entry in `METHODS`.

    A subclass says in `fused` which transform and which rules. `experimental` methods are chosen by nobody but a
    person who names them.
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
        with torch.no_grad():
            image = self.fused(network, pair.fixed, pair.moved_or_fixed, fixed.grid.spacing_mm)
        image = pair.over_fixed(torch.nan_to_num(image))
        return Fused(image, fixed.grid, self.name, asdict(self) | pair.windows)

    def fused(
        self, network: nn.Module, first: VoxelArray, second: VoxelArray, spacing_mm: tuple[float, float, float]
    ) -> VoxelArray:
        """Two volumes in 0…1 to one."""
        raise NotImplementedError


def by_planes(
    function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], first: VoxelArray, second: VoxelArray
) -> VoxelArray:
    """`function` of planes (n, 1, h, w) twice, on volumes or bands (slice, row, column)."""
    count = max(1, PIXELS_AT_ONCE // max(1, first.shape[1] * first.shape[2]))
    parts = [
        function(first[start : start + count, None].contiguous(), second[start : start + count, None].contiguous())
        for start in range(0, first.shape[0], count)
    ]
    return torch.cat(parts)[:, 0]


def band_weighting(network: nn.Module) -> Rule:
    """The rule that mixes two bands by a weight map's network.

    The network was trained on brightness 0…1: a band is brought there by its spread, both images' alike.
    """

    def weigh(first: VoxelArray, second: VoxelArray) -> VoxelArray:
        spread = 6 * torch.maximum(first.square().mean(), second.square().mean()).sqrt().clamp_min(1e-8)
        weight = by_planes(mapped, (first / spread + 0.5).clamp(0, 1), (second / spread + 0.5).clamp(0, 1))
        return torch.lerp(second, first, weight)

    def mapped(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        # At half the size: a map varies slowly, and there are many bands.
        weight: torch.Tensor = network(halved(first), halved(second))
        return resized(weight, first)

    return weigh
