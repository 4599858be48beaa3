"""Fusion in the decimated wavelet transform: the low band is taken apart again, level by level."""

from collections.abc import Sequence

from ..types import VoxelArray
from .axes import working_axes
from .selection import Rule
from .separable_wavelet import join, split
from .wavelets import Wavelet


def fuse_pyramid(
    images: Sequence[VoxelArray],
    bank: Wavelet,
    levels: int,
    spacing_mm: tuple[float, ...],
    detail: Rule,
    base: Rule,
) -> VoxelArray:
    """Details of each level by `detail`, the last low band by `base` (`mallat1989`, separable in three dimensions).

    Thick slices wait until the others have caught up. Stops early where no axis is as long as the filters.
    """
    shape = tuple(images[0].shape)
    axes = working_axes(shape, spacing_mm, least=bank.length)
    if levels == 0 or not axes:
        return base(*images)
    ours, *others = (split(image, axes, bank) for image in images)
    for at in range(1, len(ours)):
        ours[at] = detail(ours[at], *(bands[at] for bands in others))
    lows = [ours[0], *(bands[0] for bands in others)]
    others.clear()
    coarser = tuple(spacing * 2 if axis in axes else spacing for axis, spacing in enumerate(spacing_mm))
    ours[0] = fuse_pyramid(lows, bank, levels - 1, coarser, detail, base)
    return join(ours, axes, bank, shape)
