"""The decimated wavelet transform along one axis, and in all axes at once."""

import torch

from ..types import VoxelArray
from .extension import mirrored
from .wavelets import Wavelet


def analyse(image: VoxelArray, axis: int, bank: Wavelet) -> tuple[VoxelArray, VoxelArray]:
    """Low and high band along `axis`, each ⌊(n + L − 1) / 2⌋ long for n voxels and L taps (`mallat1989`).

    The image goes on as its mirror image beyond both ends (half a sample outside), so that no edge arises.
    """
    taps = bank.length
    count = (image.shape[axis] + taps - 1) // 2
    at = mirrored(torch.arange(2 - taps, 2 * count), image.shape[axis]).to(image.device)
    parts = image.index_select(axis, at[0::2]), image.index_select(axis, at[1::2])
    return tuple(_decimated(parts, axis, filter_, count) for filter_ in (bank.analysis_low, bank.analysis_high))  # type: ignore[return-value]


def _decimated(parts: tuple[VoxelArray, VoxelArray], axis: int, filter_: tuple[float, ...], count: int) -> VoxelArray:
    shape = list(parts[0].shape)
    shape[axis] = count
    band = parts[0].new_zeros(shape)
    for tap, weight in enumerate(reversed(filter_)):
        if weight:
            band.add_(parts[tap % 2].narrow(axis, tap // 2, count), alpha=weight)
    return band


def synthesise(low: VoxelArray, high: VoxelArray, axis: int, bank: Wavelet, extent: int) -> VoxelArray:
    """The image of `extent` voxels along `axis` whose `analyse` these are."""
    half = bank.length // 2
    count = low.shape[axis] - half + 1
    shape = list(low.shape)
    shape[axis] = count
    phases = []
    for phase in (0, 1):
        line = low.new_zeros(shape)
        for step in range(half):
            start = half - 1 - step
            for band, filter_ in ((low, bank.synthesis_low), (high, bank.synthesis_high)):
                if filter_[2 * step + phase]:
                    line.add_(band.narrow(axis, start, count), alpha=filter_[2 * step + phase])
        phases.append(line)
    return torch.stack(phases, dim=axis + 1).flatten(axis, axis + 1).narrow(axis, 0, extent)


def split(image: VoxelArray, axes: tuple[int, ...], bank: Wavelet) -> list[VoxelArray]:
    """The 2^len(axes) bands along all of `axes`; the first is low in each of them."""
    bands = [image]
    for axis in axes:
        bands = [half for band in bands for half in analyse(band, axis, bank)]
    return bands


def join(bands: list[VoxelArray], axes: tuple[int, ...], bank: Wavelet, shape: tuple[int, ...]) -> VoxelArray:
    """The image of `shape` whose `split` these are."""
    for axis in reversed(axes):
        bands = [
            synthesise(low, high, axis, bank, shape[axis]) for low, high in zip(bands[::2], bands[1::2], strict=True)
        ]
    return bands[0]
