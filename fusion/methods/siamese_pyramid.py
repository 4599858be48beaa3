"""A weight map from a Siamese network, applied in a pyramid."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from ..transforms.box import box_sum
from ..types import VoxelArray
from .laplacian_pyramid import compose, decompose, reduce
from .learned_bands import LearnedBands
from .planes import fuse_planes

LEVELS = 4
ALIKE = 0.6
"""Details that match by more are averaged by weight, others are chosen (`liu2017`, section III-B)."""


@dataclass(frozen=True, slots=True)
class SiamesePyramid(LearnedBands):
    """Laplacian pyramids of the images, a Gaussian pyramid of the weights, and a rule by similarity (`liu2017`)."""

    name: ClassVar[str] = "siamese_pyramid"
    network: ClassVar[str] = "siamese_weight_map"

    def fused(
        self, network: nn.Module, first: VoxelArray, second: VoxelArray, spacing_mm: tuple[float, float, float]
    ) -> VoxelArray:
        weight = fuse_planes(network, first, second, spacing_mm).clamp(0, 1)
        ours, our_base = decompose(first, LEVELS, spacing_mm)
        theirs, their_base = decompose(second, LEVELS, spacing_mm)
        details = []
        for (mine, axes), (other, _) in zip(ours, theirs, strict=True):
            details.append((_joined(mine, other, weight), axes))
            for axis in axes:
                weight = reduce(weight, axis)
        return compose(details, _joined(our_base, their_base, weight))


def _joined(first: VoxelArray, second: VoxelArray, weight: VoxelArray) -> VoxelArray:
    """The weighted mean where both match, the one of more energy where they do not."""
    radii = (1,) * first.ndim
    energies = box_sum(first.square(), radii), box_sum(second.square(), radii)
    match = 2 * box_sum(first * second, radii) / (energies[0] + energies[1]).clamp_min(1e-12)
    chosen = torch.where(energies[0] >= energies[1], first, second)
    return torch.where(match >= ALIKE, torch.lerp(second, first, weight), chosen)
