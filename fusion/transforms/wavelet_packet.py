"""Fusion in wavelet packets: every band is taken apart again, not the low one alone."""

from ..types import VoxelArray
from .axes import working_axes
from .separable_wavelet import join, split
from .wavelet_pyramid import Rule
from .wavelets import Wavelet


def fuse_packets(
    first: VoxelArray,
    second: VoxelArray,
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
    axes = working_axes(first.shape, spacing_mm, least=bank.length)
    if levels == 0 or not axes:
        return (base if lowest else detail)(first, second)
    coarser = tuple(spacing * 2 if axis in axes else spacing for axis, spacing in enumerate(spacing_mm))
    ours, theirs = split(first, axes, bank), split(second, axes, bank)
    for at in range(len(ours)):
        ours[at] = fuse_packets(
            ours[at], theirs[at], bank, levels - 1, coarser, detail, base, lowest=lowest and at == 0
        )
    return join(ours, axes, bank, tuple(first.shape))
