"""Fusion of noisy images: noise removed first, contourlet bands mixed by a network's weights."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from ..transforms.axes import working_axes
from ..transforms.contourlet import contourlet_bands
from ..transforms.fourier_frame import fuse_frame
from ..transforms.fractional_variation import denoised
from ..transforms.noise import noise_of
from ..types import VoxelArray
from .learned_bands import LearnedBands, band_weighting

ORDER, ITERATIONS = 1.2, 30
STAGES = (2, 2, 2)
LEAST_NOISE = 0.5 / 255
"""Below half a grey level there is nothing to remove."""


@dataclass(frozen=True, slots=True)
class FotgvCnn(LearnedBands):
    """Fractional-order total generalised variation, then NSCT bands by a Siamese network's weights (`goyal2022`)."""

    name: ClassVar[str] = "fotgv_cnn"
    network: ClassVar[str] = "siamese_weight_map"

    def fused(
        self, network: nn.Module, first: VoxelArray, second: VoxelArray, spacing_mm: tuple[float, float, float]
    ) -> VoxelArray:
        axes = working_axes(tuple(first.shape), spacing_mm)
        weigh = band_weighting(network)
        return fuse_frame([_clean(first), _clean(second)], axes, contourlet_bands(STAGES), weigh, weigh, tight=True)


def _clean(image: VoxelArray) -> VoxelArray:
    noise = noise_of(image)
    return image if noise < LEAST_NOISE else denoised(image, ORDER, 1 / noise, ITERATIONS)
