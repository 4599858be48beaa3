"""Fusion of shearlet and of curvelet bands by the weight map of a network."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from ..transforms.axes import working_axes
from ..transforms.curvelet import curvelet_bands
from ..transforms.fourier_frame import fuse_frame
from ..transforms.shearlet import shearlet_bands
from ..types import VoxelArray
from .learned_bands import LearnedBands, band_weighting

SHEARS = (1, 2, 2)
CURVELET_LEVELS, WEDGES = 3, 4


@dataclass(frozen=True, slots=True)
class NsstCurveletCnn(LearnedBands):
    """All bands of both transforms mixed by a Siamese network's weights, the results averaged (`abas2022`)."""

    name: ClassVar[str] = "nsst_curvelet_cnn"
    network: ClassVar[str] = "siamese_weight_map"

    def fused(
        self, network: nn.Module, first: VoxelArray, second: VoxelArray, spacing_mm: tuple[float, float, float]
    ) -> VoxelArray:
        axes = working_axes(tuple(first.shape), spacing_mm)
        weigh = band_weighting(network)
        sheared = fuse_frame([first, second], axes, shearlet_bands(SHEARS), weigh, weigh, tight=False)
        curved = fuse_frame([first, second], axes, curvelet_bands(CURVELET_LEVELS, WEDGES), weigh, weigh, tight=True)
        return (sheared + curved) / 2
