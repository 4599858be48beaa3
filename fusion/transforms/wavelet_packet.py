"""Fusion in wavelet packets: every band is taken apart again, not the low one alone."""

from collections.abc import Sequence

from ..types import VoxelArray
from .axes import working_axes
from .selection import Rule
from .separable_wavelet import join, split
from .wavelets import Wavelet


def fuse_packets(
    images: Sequence[VoxelArray],
    bank: Wavelet,
    levels: int,
    spacing_mm: tuple[float, ...],
    detail: Rule,
    base: Rule,
    *,
    lowest: bool = True,
) -> VoxelArray:
    """The full tree of `levels` (`coifman1992`): `base` for the band that is low throughout, `detail` for the others.

    `lowest` says that the inputs are such a band. One branch is in memory at a time.
    """
    shape = tuple(images[0].shape)
    axes = working_axes(shape, spacing_mm, least=bank.length)
    if levels == 0 or not axes:
        return (base if lowest else detail)(*images)
    coarser = tuple(spacing * 2 if axis in axes else spacing for axis, spacing in enumerate(spacing_mm))
    ours, *others = (split(image, axes, bank) for image in images)
    for at in range(len(ours)):
        branch = [ours[at], *(bands[at] for bands in others)]
        ours[at] = fuse_packets(branch, bank, levels - 1, coarser, detail, base, lowest=lowest and at == 0)
    return join(ours, axes, bank, shape)
