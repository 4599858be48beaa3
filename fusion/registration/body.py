"""Where the patient is in an image: the region that a registration is about."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ..types import MaskArray, VoxelArray
from ..volume import Grid

CT_SKIN_HU = -300.0
"""Half way between air and skin, with room for partial volume."""

TABLE_OPENING_MM = 6.0
"""Thinner things than this are not the patient: table top, head holder, tubes."""


def body_threshold(values: NDArray[np.float32], hounsfield: bool) -> float:
    """The value between air and tissue: fixed for CT, else by Otsu's method on the square root of the values.

    Otsu, IEEE Trans. SMC 9 (1979) 62-66. The square root keeps a hot spot of PET or bright fat of MR from pulling the
    threshold above the muscle.
    """
    if hounsfield:
        return CT_SKIN_HU
    low = float(values.min())
    root = np.sqrt(np.maximum(values - low, 0, dtype=np.float64))
    counts, edges = np.histogram(root, bins=128)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sum_below = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sum_below / below - (sum_below[-1] - sum_below) / above) ** 2
    best = centres[int(np.nanargmax(np.where((below > 0) & (above > 0), between, np.nan)))]
    # Otsu parts dark from bright tissue as readily as air from tissue; half of it lies in the gap above air.
    return low + float(0.6 * best) ** 2


def body_mask(voxels: VoxelArray, grid: Grid, threshold: float) -> MaskArray:
    """The largest connected thing above `threshold`, without thin attachments, holes filled, on the CPU."""
    above = voxels.cpu().numpy() > threshold
    reach = [max(1, round(TABLE_OPENING_MM / 2 / s)) if s < TABLE_OPENING_MM else 0 for s in grid.spacing_mm]
    ball = _ellipsoid(reach)
    # What the edge of the image cuts off is taken to go on there, so that opening does not round it.
    padded = np.pad(above, [(r, r) for r in reach], mode="edge")
    opened = ndimage.binary_opening(padded, ball)
    opened = opened[tuple(slice(r, r + n) for r, n in zip(reach, above.shape, strict=True))]
    labels, count = ndimage.label(opened)
    if count == 0:
        return torch.from_numpy(above)
    largest = labels == 1 + int(np.argmax(np.bincount(labels.reshape(-1))[1:]))
    for axis in range(3):
        largest |= _holes(largest, axis)
    return torch.from_numpy(largest)


def _holes(mask: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """What is enclosed in the planes across `axis`: background that does not reach the edge of its plane."""
    within = np.zeros((3, 3, 3), dtype=bool)
    within[1, 1], within[1, :, 1], within[:, 1, 1] = True, True, True
    np.moveaxis(within, axis, 0)[::2] = False
    labels, count = ndimage.label(~mask, within)
    open_to_edge = np.zeros(count + 1, dtype=bool)
    for other in {0, 1, 2} - {axis}:
        planes = np.moveaxis(labels, other, 0)
        open_to_edge[planes[0]] = open_to_edge[planes[-1]] = True
    open_to_edge[0] = True
    holes: NDArray[np.bool_] = ~open_to_edge[labels]
    return holes


def _ellipsoid(reach: list[int]) -> NDArray[np.bool_]:
    axes = np.ogrid[tuple(slice(-r, r + 1) for r in reach)]
    z, y, x = ((a / max(r, 1)) ** 2 for a, r in zip(axes, reach, strict=True))
    ellipsoid: NDArray[np.bool_] = z + y + x <= 1.0
    return ellipsoid
