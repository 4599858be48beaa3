"""Fusion of wavelet bands by the features of a network that was trained for something else."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from ..networks.feature_classifier import FeatureClassifier
from ..transforms.wavelet_pyramid import fuse_pyramid
from ..transforms.wavelets import wavelet
from ..types import VoxelArray
from .learned_bands import LearnedBands, Rule, by_planes

LEVELS = 3


@dataclass(frozen=True, slots=True)
class TransferDwt(LearnedBands):
    """Each band of the discrete wavelet transform mixed by the activity of transferred features (`kalamkar2022`)."""

    name: ClassVar[str] = "transfer_dwt"
    network: ClassVar[str] = "feature_classifier"

    def fused(
        self, network: nn.Module, first: VoxelArray, second: VoxelArray, spacing_mm: tuple[float, float, float]
    ) -> VoxelArray:
        weigh = _weighing(network)
        return fuse_pyramid((first, second), wavelet("bior4.4"), LEVELS, spacing_mm, weigh, weigh)


def _weighing(network: nn.Module) -> Rule:
    if not isinstance(network, FeatureClassifier):
        raise TypeError("the network has no depths")

    def activity(band: torch.Tensor) -> torch.Tensor:
        return network.depths(band)[0].square().sum(dim=1, keepdim=True)

    def share(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        ours, theirs = activity(first), activity(second)
        return (ours + 1e-12) / (ours + theirs + 2e-12)

    def weigh(first: VoxelArray, second: VoxelArray) -> VoxelArray:
        scale = torch.maximum(first.abs().amax(), second.abs().amax()).clamp_min(1e-8)
        return torch.lerp(second, first, by_planes(share, first.abs() / scale, second.abs() / scale))

    return weigh
