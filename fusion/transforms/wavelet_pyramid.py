"""Fusion in the decimated wavelet transform: the low band is taken apart again, level by level."""

from collections.abc import Callable

from ..types import VoxelArray
from .axes import working_axes
from .separable_wavelet import join, split
from .wavelets import Wavelet

Rule = Callable[[VoxelArray, VoxelArray], VoxelArray]
"""From the coefficients of both images to the fused ones."""


def fuse_pyramid(
    first: VoxelArray,
    second: VoxelArray,
    bank: Wavelet,
    levels: int,
    spacing_mm: tuple[float, ...],
    detail: Rule,
    base: Rule,
) -> VoxelArray:
    """Details of each level by `detail`, the last low band by `base` (`mallat1989`, separable in three dimensions).

    Thick slices wait until the others have caught up. Stops early where no axis is as long as the filters.
    """
    axes = working_axes(first.shape, spacing_mm, least=bank.length)
    if levels == 0 or not axes:
        return base(first, second)
    ours, theirs = split(first, axes, bank), split(second, axes, bank)
    for at in range(1, len(ours)):
        ours[at] = detail(ours[at], theirs[at])
    low = theirs[0]
    theirs.clear()
    coarser = tuple(spacing * 2 if axis in axes else spacing for axis, spacing in enumerate(spacing_mm))
    ours[0] = fuse_pyramid(ours[0], low, bank, levels - 1, coarser, detail, base)
    return join(ours, axes, bank, tuple(first.shape))
