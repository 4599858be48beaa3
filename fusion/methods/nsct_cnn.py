"""Fusion of contourlet bands by the weight map of a network."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from ..transforms.axes import working_axes
from ..transforms.contourlet import contourlet_bands
from ..transforms.fourier_frame import fuse_frame
from ..types import VoxelArray
from .learned_bands import LearnedBands, band_weighting

STAGES = (2, 2, 2)


@dataclass(frozen=True, slots=True)
class NsctCnn(LearnedBands):
    """Every band of the non-subsampled contourlet transform mixed by a Siamese network's weights (`wang2021`)."""

    name: ClassVar[str] = "nsct_cnn"
    network: ClassVar[str] = "siamese_weight_map"

    def fused(
        self, network: nn.Module, first: VoxelArray, second: VoxelArray, spacing_mm: tuple[float, float, float]
    ) -> VoxelArray:
        axes = working_axes(tuple(first.shape), spacing_mm)
        weigh = band_weighting(network)
        return fuse_frame([first, second], axes, contourlet_bands(STAGES), weigh, weigh, tight=True)
