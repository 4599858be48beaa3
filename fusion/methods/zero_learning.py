"""Fusion by the features of a network that was trained for something else."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import nn

from ..networks.feature_classifier import FeatureClassifier
from ..networks.layers import resized
from ..transforms.box import box_mean
from ..transforms.guided import guided
from ..types import VoxelArray
from .learned_bands import LearnedBands, by_planes

BASE_RADIUS = 8
"""Of the mean that is the base, in pixels."""

SHARPNESS = 8.0
GUIDE_RADIUS, GUIDE_EPSILON = 4, 1e-3


@dataclass(frozen=True, slots=True)
class ZeroLearning(LearnedBands):
    """Two scales; the details weighed by the activity of features at each depth, the strongest kept (`lahoud2019`).

    The weights are refined by a guided filter, as there. The features are those of a small network that tells
    modalities apart; the paper's are of VGG-19.
    """

    name: ClassVar[str] = "zero_learning"
    network: ClassVar[str] = "feature_classifier"

    def fused(
        self,
        network: nn.Module,
        first: VoxelArray,
        second: VoxelArray,
        spacing_mm: tuple[float, float, float],  # noqa: ARG002 - planes are fused one by one
    ) -> VoxelArray:
        radii = (0, min(BASE_RADIUS, first.shape[1] - 1), min(BASE_RADIUS, first.shape[2] - 1))
        bases = box_mean(first, radii), box_mean(second, radii)
        details = first - bases[0], second - bases[1]
        contrasts = [(image - image.mean()).abs() for image in bases]
        base_share = (contrasts[0] + 1e-6) / (contrasts[0] + contrasts[1] + 2e-6)
        fused = None
        small = tuple(min(GUIDE_RADIUS, radius) for radius in radii)
        for depth in range(3):
            share = by_planes(partial(_share, network, depth), first, second)
            share = guided(first, share, small, GUIDE_EPSILON).clamp(0, 1)
            candidate = torch.lerp(details[1], details[0], share)
            fused = candidate if fused is None else torch.where(candidate.abs() > fused.abs(), candidate, fused)
        if fused is None:
            raise RuntimeError("a network without depths")
        return torch.lerp(bases[1], bases[0], base_share) + fused


def _share(network: nn.Module, depth: int, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """(n, 1, h, w): how much of the features' activity (L1 norm over the channels) is the first image's."""
    if not isinstance(network, FeatureClassifier):
        raise TypeError("the network has no depths")
    activity = [
        resized(network.depths(image)[depth].abs().sum(dim=1, keepdim=True), first) for image in (first, second)
    ]
    scale = torch.stack(activity).mean().clamp_min(1e-8)
    return torch.softmax(SHARPNESS * torch.stack(activity) / scale, dim=0)[0]
