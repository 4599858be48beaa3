"""The modality independent neighbourhood descriptor with self-similarity context (MIND-SSC).

Heinrich, Jenkinson, Papież, Brady, Schnabel, MICCAI 2013, `heinrich2013` (equations 1 to 3): how alike the patches
beside a voxel are to one another, not to the voxel itself, so that one noisy centre spoils nothing.
"""

import torch

from ..types import VoxelArray

CHANNELS = 12

DIAGONALS = ((1, 1, 0), (1, -1, 0), (1, 0, 1), (1, 0, -1), (0, 1, 1), (0, 1, -1))
"""The six directions in which two of the six neighbours that share no axis lie apart, up to their sign."""

VARIANCE_RANGE = (1e-3, 1e3)
"""A voxel's variance is held within these multiples of the image's mean: flat air would else amplify its noise."""


def pairs() -> tuple[tuple[tuple[int, int, int], tuple[int, int, int], int], ...]:
    """(from, to, diagonal): the twelve pairs of neighbours whose distance is the root of two, ordered by diagonal."""
    found = []
    for number, diagonal in enumerate(DIAGONALS):
        first, second = (axis for axis in range(3) if diagonal[axis])
        # from + diagonal = to, both a step along one axis: two such pairs.
        for axis, other in ((first, second), (second, first)):
            start, end = [0, 0, 0], [0, 0, 0]
            start[axis], end[other] = -diagonal[axis], diagonal[other]
            found.append(((start[0], start[1], start[2]), (end[0], end[1], end[2]), number))
    return tuple(found)


def mind_ssc(voxels: VoxelArray, *, step: int = 1, radius: int = 1, noise: float = 0.0) -> torch.Tensor:
    """(slice, row, column) to (slice, row, column, 12) in 0 … 1, channels last, on the device of `voxels`.

    `step` is the distance of the neighbours and `radius` the half width of the patches, both in voxels; `noise` is
    added to every variance (squared units of the image): differences that small then count for nothing.
    """
    distances = voxels.new_empty((*voxels.shape, CHANNELS))
    reach = 2 * step
    for number, diagonal in enumerate(DIAGONALS):
        offset = [step * part for part in diagonal]
        padded = _padded(voxels, reach)
        difference = (_shifted(padded, offset, reach) - voxels).square_()
        patches = _padded(_box(difference, radius), reach)
        for channel, (start, _end, of) in enumerate(pairs()):
            if of == number:
                distances[..., channel] = _shifted(patches, [step * part for part in start], reach)
    distances -= distances.amin(dim=-1, keepdim=True)
    variance = distances.mean(dim=-1, keepdim=True)
    middle = float(variance.mean())
    low, high = (max(bound * middle, 1e-12) for bound in VARIANCE_RANGE)
    variance = variance.clamp_(low, high).add_(noise)
    return distances.div_(variance).neg_().exp_()


def patch_variance(voxels: VoxelArray, radius: int = 1) -> VoxelArray:
    """The mean squared difference of each patch to its three next: twice the noise's variance where nothing else is."""
    padded = _padded(voxels, 1)
    steps = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    squares = [(_shifted(padded, list(step), 1) - voxels).square_() for step in steps]
    return _box((squares[0] + squares[1] + squares[2]) / 3, radius)


def _padded(voxels: VoxelArray, reach: int) -> VoxelArray:
    return torch.nn.functional.pad(voxels[None, None], [reach] * 6, mode="replicate")[0, 0]


def _shifted(padded: VoxelArray, offset: list[int], reach: int) -> VoxelArray:
    """The array whose index 0 was at `offset`, of the size that it had before it was padded."""
    begin = [reach + part for part in offset]
    extent = [n - 2 * reach for n in padded.shape]
    return padded[tuple(slice(b, b + n) for b, n in zip(begin, extent, strict=True))]


def _box(values: VoxelArray, radius: int) -> VoxelArray:
    """The mean over a cube of 2 · radius + 1 voxels; the edge goes on."""
    if radius == 0:
        return values
    padded = torch.nn.functional.pad(values[None, None], [radius] * 6, mode="replicate")
    for axis in range(3):
        width = [1, 1, 1]
        width[axis] = 2 * radius + 1
        padded = torch.nn.functional.avg_pool3d(padded, width, stride=1)
    return padded[0, 0]
