"""Fusion of noisy images: noise is removed by fractional-order total generalised variation first."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from ..errors import ParameterError
from ..transforms.axes import working_axes
from ..transforms.contourlet import contourlet_bands
from ..transforms.fourier_frame import fuse_frame
from ..transforms.fractional_variation import denoised
from ..transforms.noise import noise_of
from ..transforms.selection import check_rules, common_base, stronger
from ..types import VoxelArray
from ..volume import Volume
from .inputs import WindowChoice, WindowChoices, aligned_images
from .method import Fused


@dataclass(frozen=True, slots=True)
class Fotgv:
    """Each slice denoised, then fused in the contourlet transform as `nsct` does (`goyal2022`).

    `order` is that of the differences, 1 for the usual ones. The weight of the data is 1 / (`strength` · noise), the
    noise measured in each image: a clean image passes nearly unchanged. Goyal and others weigh bands by a network.
    """

    order: float = 1.2
    strength: float = 1.0
    iterations: int = 30
    levels: int = 3
    stages: int = 2
    detail: Literal["max_abs", "energy"] = "energy"
    base: Literal["mean", "max"] = "mean"
    fixed_window: WindowChoice = None
    moved_window: WindowChoices = None

    def __post_init__(self) -> None:
        check_rules(self.levels, self.detail, self.base)
        if not 1 <= self.order < 2:
            raise ParameterError(f"order lies from 1 to below 2, not at {self.order}")
        if self.strength <= 0 or self.iterations < 1:
            raise ParameterError("strength is positive and iterations is at least 1")

    def __call__(self, fixed: Volume, moved: Volume, *further: Volume) -> Fused:
        aligned = aligned_images(fixed, (moved, *further), self.fixed_window, self.moved_window)
        images = [self._clean(image) for image in aligned.taken()]
        axes = working_axes(fixed.grid.shape, fixed.grid.spacing_mm)
        bands = contourlet_bands((self.stages,) * self.levels)
        detail, base = partial(stronger, detail=self.detail), partial(common_base, base=self.base)
        image = fuse_frame(images, axes, bands, detail, base, tight=True)
        return Fused(aligned.over_fixed(image), fixed.grid, "fotgv", asdict(self) | aligned.windows)

    def _clean(self, image: VoxelArray) -> VoxelArray:
        noise = noise_of(image)
        # Below half a grey level of 255 there is nothing to remove.
        if noise < 0.5 / 255:
            return image
        return denoised(image, self.order, 1 / (self.strength * noise), self.iterations)
