"""The undecimated (stationary, à trous) wavelet transform: nothing depends on where the grid begins."""

from collections.abc import Sequence
from itertools import product

import torch

from ..types import VoxelArray
from .extension import cropped, periodic_extension
from .selection import Rule
from .wavelets import Wavelet

SLAB = 16
"""Slices that are worked on at once."""

BLOCK_VOXELS = 2**16
"""What is filtered at once: it stays in the cache while the taps are added."""


def fuse_stationary(
    images: list[VoxelArray], bank: Wavelet, levels: int, axes: tuple[int, ...], detail: Rule, base: Rule
) -> VoxelArray:
    """Details of each level by `detail`, the last low band by `base`; the mean over all shifts of the inverse.

    Uses up the list.

    Filters are spread by 2^(level − 1) (`nason1995`). `detail` may look one place around.
    Low bands are made again from the images where they are needed, which is cheaper than keeping them.
    """
    shape = tuple(images[0].shape)
    levels = sum(min((shape[axis] for axis in axes), default=0) > bank.length * 2**level for level in range(levels))
    if not levels:
        return base(*images)
    lengths = tuple(shape[axis] + min(bank.length * 2**levels, shape[axis] - 1) for axis in axes)
    whole = [periodic_extension(images.pop(0), axes, lengths) for _ in range(len(images))]
    fused = base(*(_low(image, levels, axes, bank) for image in whole))
    for level in reversed(range(levels)):
        for axis in axes:
            fused = back(fused, axis, bank.synthesis_low, level)
        lows = [_low(image, level, axes, bank) for image in whole]
        fused = _with_details(fused, lows, axes, bank, level, detail)
    return cropped(fused, shape)


def forth(image: VoxelArray, axis: int, filter_: tuple[float, ...], level: int) -> VoxelArray:
    """One band along `axis`, with the filter spread by 2^level, the ends joined."""
    return _filtered(image, axis, filter_, level, len(filter_) // 2)


def back(band: VoxelArray, axis: int, filter_: tuple[float, ...], level: int) -> VoxelArray:
    """What a band of `forth` adds to the image: the sum over low and high gives it back."""
    return _filtered(band, axis, tuple(weight / 2 for weight in filter_), level, len(filter_) // 2 - 1)


def _filtered(image: VoxelArray, axis: int, filter_: tuple[float, ...], level: int, centre: int) -> VoxelArray:
    extent = image.shape[axis]
    step = 2**level
    before, after = (len(filter_) - 1 - centre) * step, centre * step
    at = torch.arange(-before, extent + after, device=image.device).remainder(extent)
    result = torch.zeros_like(image)
    across = 1 if axis == 0 else 0
    block = max(1, BLOCK_VOXELS * image.shape[across] // max(1, image.numel()))
    for start in range(0, image.shape[across], block):
        count = min(block, image.shape[across] - start)
        around = image.narrow(across, start, count).index_select(axis, at)
        part = result.narrow(across, start, count)
        for tap, weight in enumerate(filter_):
            if weight:
                part.add_(around.narrow(axis, before + (centre - tap) * step, extent), alpha=weight)
    return result


def _low(image: VoxelArray, levels: int, axes: tuple[int, ...], bank: Wavelet) -> VoxelArray:
    for level in range(levels):
        for axis in axes:
            image = forth(image, axis, bank.analysis_low, level)
    return image


def _with_details(
    fused: VoxelArray, images: Sequence[VoxelArray], axes: tuple[int, ...], bank: Wavelet, level: int, detail: Rule
) -> VoxelArray:
    """`fused` and the details of one level: along the outermost axis whole, along the others in slabs of it."""
    outer, inner = axes[0], axes[1:]
    channels = ((bank.analysis_low, bank.synthesis_low, False), (bank.analysis_high, bank.synthesis_high, True))
    for there, again, high in channels:
        kinds = [kind for kind in product((0, 1), repeat=len(inner)) if high or any(kind)]
        if kinds:
            parts = [forth(image, outer, there, level) for image in images]
            band = torch.zeros_like(parts[0])
            extent = band.shape[outer]
            for start in range(0, extent, SLAB):
                # One slice more on either side: the rule may look there.
                begin, stop = max(0, start - 1), min(extent, start + SLAB + 1)
                count = min(SLAB, extent - start)
                slabs = [part.narrow(outer, begin, stop - begin) for part in parts]
                done = _inner(slabs, inner, kinds, bank, level, detail)
                band.narrow(outer, start, count).copy_(done.narrow(outer, start - begin, count))
            del parts
            fused = fused.add_(back(band, outer, again, level))
    return fused


def _inner(
    images: Sequence[VoxelArray],
    axes: tuple[int, ...],
    kinds: list[tuple[int, ...]],
    bank: Wavelet,
    level: int,
    detail: Rule,
) -> VoxelArray:
    total = torch.zeros_like(images[0])
    for kind in kinds:
        parts = list(images)
        for axis, high in zip(axes, kind, strict=True):
            filter_ = bank.analysis_high if high else bank.analysis_low
            parts = [forth(part, axis, filter_, level) for part in parts]
        band = detail(*parts)
        for axis, high in zip(axes, kind, strict=True):
            band = back(band, axis, bank.synthesis_high if high else bank.synthesis_low, level)
        total.add_(band)
    return total
