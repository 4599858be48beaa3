"""Fusion of shearlet bands by how alike a network finds them."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import nn

from ..transforms.axes import working_axes
from ..transforms.fourier_frame import fuse_frame
from ..transforms.selection import common_base
from ..transforms.shearlet import shearlet_bands
from ..types import VoxelArray
from .learned_bands import LearnedBands, by_planes

SHEARS = (1, 2, 2)


@dataclass(frozen=True, slots=True)
class ShearletSimilarity(LearnedBands):
    """Bands whose features agree are averaged by energy, elsewhere the stronger is kept (`hermessi2018`)."""

    name: ClassVar[str] = "shearlet_similarity"
    network: ClassVar[str] = "band_similarity"

    def fused(
        self, network: nn.Module, first: VoxelArray, second: VoxelArray, spacing_mm: tuple[float, float, float]
    ) -> VoxelArray:
        axes = working_axes(tuple(first.shape), spacing_mm)
        detail, base = partial(by_planes, network), partial(common_base, base="max")
        return fuse_frame([first, second], axes, shearlet_bands(SHEARS), detail, base, tight=False)
