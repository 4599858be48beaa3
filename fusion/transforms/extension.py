"""Making an image periodic without an edge, for transforms that join its ends."""

import torch

from ..types import VoxelArray

FAST_FACTORS = (2, 3, 5, 7)


def periodic_extension(image: VoxelArray, axes: tuple[int, ...], lengths: tuple[int, ...]) -> VoxelArray:
    """The image followed, along each of `axes`, by a cross-fade of its mirrored end into its mirrored beginning.

    It grows to `lengths`. `image` is where it was: the first voxels of the result.
    """
    for axis, length in zip(axes, lengths, strict=True):
        extent = image.shape[axis]
        added = length - extent
        after = image.index_select(axis, mirrored(torch.arange(extent, extent + added), extent).to(image.device))
        before = image.index_select(axis, mirrored(torch.arange(-added, 0), extent).to(image.device))
        share = (torch.arange(added, device=image.device, dtype=image.dtype) + 0.5) / max(1, added)
        share = share.reshape([-1 if other == axis else 1 for other in range(image.ndim)])
        image = torch.cat([image, torch.lerp(after, before, share)], dim=axis)
    return image


def cropped(image: VoxelArray, shape: tuple[int, ...]) -> VoxelArray:
    """The first voxels, as many as `shape` says."""
    return image[tuple(slice(0, extent) for extent in shape)]


def fast_length(least: int, multiple: int = 1) -> int:
    """The smallest length from `least` on that is a multiple and has small prime factors only."""
    length = -(-least // multiple) * multiple
    while not _is_smooth(length // multiple):
        length += multiple
    return length


def _is_smooth(number: int) -> bool:
    for factor in FAST_FACTORS:
        while number % factor == 0:
            number //= factor
    return number == 1


def mirrored(index: torch.Tensor, extent: int) -> torch.Tensor:
    """Indices beyond the ends, reflected half a sample outside, as often as needed."""
    index = index.remainder(2 * extent)
    return torch.where(index < extent, index, 2 * extent - 1 - index)
