"""Refining a volume without blurring it: cubic between two voxels, and never beyond the two.

Piecewise cubic Hermite interpolation whose slopes are the harmonic means of the neighbouring differences (Fritsch and
Butland, SIAM J. Sci. Stat. Comput. 5(2), 1984, `fritsch1984`), one axis after the other. Linear interpolation cuts off
the tops of a small hot lesion; this does not, and it invents no value above or below its two neighbours, as sinc and
B-splines do.
"""

import torch

from ..types import VoxelArray


def refined(voxels: VoxelArray, factor: int) -> VoxelArray:
    """(slice, row, column) with `factor` steps for one: index i becomes i · factor, and keeps its value bit for bit."""
    for axis in range(3):
        if voxels.shape[axis] > 1:
            voxels = _along(voxels.movedim(axis, 0), factor).movedim(0, axis)
    return voxels.contiguous()


def _along(values: torch.Tensor, factor: int) -> torch.Tensor:
    """(n, …) to ((n - 1) · factor + 1, …) along the first axis."""
    step = values[1:] - values[:-1]
    slope = torch.zeros_like(values)
    slope[1:-1] = _harmonic_mean(step[:-1], step[1:])
    slope[0], slope[-1] = step[0], step[-1]
    fine = values.new_empty(((len(values) - 1) * factor + 1, *values.shape[1:]))
    fine[::factor] = values
    first, last = slope[:-1], slope[1:]
    for part in range(1, factor):
        t = part / factor
        curve = first + t * (3 * step - 2 * first - last + t * (first + last - 2 * step))
        fine[part::factor] = values[:-1] + t * curve
    return fine


def _harmonic_mean(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Of two differences of one sign; level at a peak or a trough."""
    product = before * after
    rising = product > 0
    return torch.where(rising, 2 * product / torch.where(rising, before + after, 1.0), 0.0)
