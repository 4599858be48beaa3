"""The multi-resolution singular value decomposition: blocks of 2 × 2 × 2 in their own principal directions."""

from collections.abc import Sequence

import torch

from ..types import VoxelArray
from .axes import working_axes
from .selection import Rule


def fuse_blocks(
    images: Sequence[VoxelArray],
    levels: int,
    spacing_mm: tuple[float, ...],
    detail: Rule,
    base: Rule,
) -> VoxelArray:
    """Bands along the singular vectors of the blocks (`naidu2011`), details by `detail`, the rest by `base`.

    The vectors are those of the blocks of all images together: one orthogonal basis for all makes their
    coefficients comparable and the inverse exact, which the mean of two bases is not.
    """
    shape = tuple(images[0].shape)
    axes = working_axes(shape, spacing_mm, least=2)
    if levels == 0 or not axes:
        return base(*images)
    blocks = [to_blocks(image, axes) for image in images]
    rotation = principal_directions(*blocks)
    for number, block in enumerate(blocks):
        blocks[number] = _rotated(rotation.T, block)
    ours, *others = blocks
    for at in range(1, len(ours)):
        ours[at] = detail(ours[at], *(bands[at] for bands in others))
    coarser = tuple(spacing * 2 if axis in axes else spacing for axis, spacing in enumerate(spacing_mm))
    lows = [ours[0], *(bands[0].clone() for bands in others)]
    blocks.clear()
    others.clear()
    ours[0] = fuse_blocks(lows, levels - 1, coarser, detail, base)
    return from_blocks(_rotated(rotation, ours), axes, shape)


def to_blocks(image: VoxelArray, axes: tuple[int, ...]) -> VoxelArray:
    """(2^len(axes), …): the places within a block first. An odd axis is continued by its last voxel."""
    parts = [image]
    for axis in axes:
        extent = image.shape[axis]
        last = torch.arange(1, extent + extent % 2, 2, device=image.device).clamp(max=extent - 1)
        even = torch.arange(0, extent, 2, device=image.device)
        parts = [part.index_select(axis, at) for part in parts for at in (even, last)]
    return torch.stack(parts)


def from_blocks(blocks: VoxelArray, axes: tuple[int, ...], shape: tuple[int, ...]) -> VoxelArray:
    """The image of `shape` whose `to_blocks` these are."""
    parts: list[VoxelArray] = list(blocks)
    for axis in reversed(axes):
        parts = [
            torch.stack([even, odd], dim=axis + 1).flatten(axis, axis + 1).narrow(axis, 0, shape[axis])
            for even, odd in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def principal_directions(*blocks: VoxelArray) -> torch.Tensor:
    """(places, places) orthogonal, the direction of the largest singular value first, pointing to brighter blocks."""
    places = blocks[0].shape[0]
    scatter = torch.zeros((places, places), dtype=torch.float64)
    for image in blocks:
        # Slice by slice: float64 copies of everything at once would be as large as four volumes.
        for part in image.unbind(1):
            flat = part.reshape(places, -1).double()
            scatter += (flat @ flat.T).cpu()
    vectors = torch.linalg.eigh(scatter).eigenvectors.flip(1)
    if vectors[:, 0].sum() < 0:
        vectors[:, 0] *= -1
    directions: torch.Tensor = vectors
    return directions


def _rotated(rotation: torch.Tensor, blocks: VoxelArray) -> VoxelArray:
    matrix = rotation.to(blocks)
    rotated: VoxelArray = torch.einsum("ij,jabc->iabc", matrix, blocks)
    return rotated
