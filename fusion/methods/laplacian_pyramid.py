"""Fusion of details scale by scale: the three-dimensional Laplacian pyramid."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

import torch

from ..transforms.selection import check_rules, common_base, stronger
from ..types import VoxelArray
from ..volume import Volume
from .inputs import WindowChoice, WindowChoices, aligned_images
from .method import Fused

KERNEL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""The generating kernel of Burt and Adelson 1983 (`burt1983`) with a = 0.375: separable, symmetric, binomial."""

LEAST_EXTENT = 4
"""An axis is not halved below half of this; a single slice is never halved along the slices."""

Axes: TypeAlias = tuple[int, ...]
Level: TypeAlias = tuple[VoxelArray, Axes]
"""Details, and the axes that were halved below them."""


@dataclass(frozen=True, slots=True)
class LaplacianPyramid:
    """Per coefficient the stronger detail of both images, and a common base.

    The pyramid is that of Burt and Adelson 1983 (`burt1983`) along three axes; an axis twice as coarse as the finest
    waits until the others have caught up, so that a level means the same size in mm in all directions. `detail` is
    `max_abs` (the larger coefficient) or `energy` (the coefficient whose 3 × 3 × 3 neighbourhood has the larger sum
    of squares: the salience of Burt and Kolczynski 1993, `burt1993`, without its match measure). `base`
    is `mean` or `max`. An image fused with itself comes back.
    """

    levels: int = 4
    detail: Literal["max_abs", "energy"] = "energy"
    base: Literal["mean", "max"] = "mean"
    fixed_window: WindowChoice = None
    moved_window: WindowChoices = None

    def __post_init__(self) -> None:
        check_rules(self.levels, self.detail, self.base)

    def __call__(self, fixed: Volume, moved: Volume, *further: Volume) -> Fused:
        aligned = aligned_images(fixed, (moved, *further), self.fixed_window, self.moved_window)
        image = aligned.over_fixed(self._fuse(aligned.images, fixed.grid.spacing_mm))
        return Fused(image, fixed.grid, "laplacian_pyramid", asdict(self) | aligned.windows)

    def _fuse(self, images: Sequence[VoxelArray], spacing_mm: tuple[float, float, float]) -> VoxelArray:
        pyramids = [decompose(image, self.levels, spacing_mm) for image in images]
        base = common_base(*(below for _, below in pyramids), base=self.base)
        levels = [details for details, _ in pyramids]
        fused: list[Level] = []
        for at, (_, axes) in enumerate(levels[0]):
            fused.append((stronger(*(details[at][0] for details in levels), detail=self.detail), axes))
        return compose(fused, base)


def decompose(image: VoxelArray, levels: int, spacing_mm: tuple[float, float, float]) -> tuple[list[Level], VoxelArray]:
    """The details, finest first, and what is left below them. Stops early where no axis can be halved."""
    details: list[Level] = []
    spacing = list(spacing_mm)
    for _ in range(levels):
        able = [axis for axis in range(3) if image.shape[axis] >= LEAST_EXTENT]
        # Closer to the finest than to its double, on a logarithmic scale.
        axes = tuple(axis for axis in able if spacing[axis] < 2**0.5 * min(spacing[other] for other in able))
        if not axes:
            break
        coarse = image
        for axis in axes:
            coarse = reduce(coarse, axis)
            spacing[axis] *= 2
        details.append((image - _expanded(coarse, axes, image.shape), axes))
        image = coarse
    return details, image


def compose(details: list[Level], base: VoxelArray) -> VoxelArray:
    """The image whose `decompose` these are."""
    for detail, axes in reversed(details):
        base = _expanded(base, axes, detail.shape) + detail
    return base


def reduce(image: VoxelArray, axis: int) -> VoxelArray:
    """REDUCE (`burt1983`, eq. 1) along one axis: smoothed, every second kept, the edge continued; n to ⌈n/2⌉."""
    extent = image.shape[axis]
    kept = -(-extent // 2)
    padded = torch.cat([image.narrow(axis, 0, 1)] * 2 + [image] + [image.narrow(axis, extent - 1, 1)] * 2, dim=axis)
    smoothed = torch.zeros((*image.shape[:axis], kept, *image.shape[axis + 1 :]), device=image.device)
    for offset, weight in enumerate(KERNEL):
        every_second = torch.arange(offset, offset + 2 * kept - 1, 2, device=image.device)
        smoothed.add_(padded.index_select(axis, every_second), alpha=weight)
    return smoothed


def expand(image: VoxelArray, axis: int, extent: int) -> VoxelArray:
    """EXPAND (`burt1983`, eq. 2) along one axis, to `extent` (twice as many, or one fewer); the edge continued."""
    count = image.shape[axis]
    before = torch.cat([image.narrow(axis, 0, 1), image.narrow(axis, 0, count - 1)], dim=axis)
    after = torch.cat([image.narrow(axis, 1, count - 1), image.narrow(axis, count - 1, 1)], dim=axis)
    even = 2 * KERNEL[0] * (before + after) + 2 * KERNEL[2] * image
    odd = 2 * KERNEL[1] * (image + after)
    both = torch.stack([even, odd], dim=axis + 1).flatten(axis, axis + 1)
    return both.narrow(axis, 0, extent)


def _expanded(image: VoxelArray, axes: Axes, shape: torch.Size) -> VoxelArray:
    for axis in axes:
        image = expand(image, axis, shape[axis])
    return image
