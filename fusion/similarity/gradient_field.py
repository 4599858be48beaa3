"""How strong the edges are, as an image of its own: the length of the normalised gradient.

Haber and Modersitzki, MICCAI 2006, LNCS 4191, 726-733 (`haber2006`), eq. 3, divide the gradient by
sqrt(|gradient|² + η²), η being what noise alone amounts to: an edge counts as one however bright its two sides are. The
length of that vector is 0 in flat tissue and 1 on a strong edge. Compared by mutual information, it is a second
similarity that shares the place of the edges with the first one, but no value.
"""

import torch

from ..types import VoxelArray


def edge_strength(voxels: VoxelArray, spacing_mm: tuple[float, float, float]) -> VoxelArray:
    """`voxels` (slice, row, column) to lengths from 0 to 1, not a number where a neighbour was not measured.

    η is the root mean square gradient.
    """
    squared = torch.zeros_like(voxels)
    for axis, spacing in enumerate(spacing_mm):
        squared += torch.gradient(voxels, spacing=spacing, dim=axis)[0].square()
    measured = torch.isfinite(squared)
    eta = squared[measured].mean().clamp_min(1e-20) if bool(measured.any()) else torch.tensor(1e-20)
    return (squared / (squared + eta)).sqrt()
