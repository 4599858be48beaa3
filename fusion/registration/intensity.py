"""Voxel values to the range 0 to 1, so that the bins of a histogram are spent where the tissue is."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..types import MaskArray, VoxelArray
from ..volume import Unit, Volume

SAMPLED = 200_000
"""Voxels that are looked at to find quantiles; their error at this number is far below a bin."""

AT_ONCE = 2**21
"""Voxels that are worked on together."""

CT_RANGE_HU = (-1000.0, 1500.0)
"""Air to dense bone; beyond are the table's carbon, metal and their artefacts."""

EQUALISED_SHARE = 0.5
"""How much of the scale follows the rank of a value instead of its size. All of it makes noise in uniform tissue as
wide as bone; none leaves the soft tissue of CT and the cold background of PET in one bin."""


def is_hounsfield(volume: Volume) -> bool:
    """Whether the numbers are on the CT scale: by unit, or for an unlabelled file by air near -1000."""
    if volume.unit is Unit.HU:
        return True
    return volume.unit is Unit.ARBITRARY and volume.modality in ("CT", "OT") and float(volume.voxels.min()) <= -500


def clip_range(volume: Volume, valid: MaskArray) -> tuple[float, float]:
    """The values between which the tissue lies."""
    seen = some_of(volume.voxels, valid)
    if is_hounsfield(volume):
        low, high = CT_RANGE_HU
        return max(low, float(seen.min())), min(high, float(seen.max()))
    low, high = (float(q) for q in np.percentile(seen, (0.1, 99.9)))
    if low == high:
        return float(seen.min()), float(seen.max())
    return low, high


def slabs(voxels: VoxelArray) -> Iterator[slice]:
    """Slices of `voxels` that are worked on together: few enough that what is made on the way is small."""
    count = max(1, AT_ONCE // math.prod(voxels.shape[1:]))
    yield from (slice(first, first + count) for first in range(0, voxels.shape[0], count))


def some_of(voxels: VoxelArray, where: MaskArray) -> NDArray[np.float32]:
    """At most about `SAMPLED` of the voxels `where`, evenly strided."""
    stride = max(1, voxels.numel() // (4 * SAMPLED))
    flat: NDArray[np.float32] = voxels.reshape(-1)[::stride][where.reshape(-1)[::stride]].cpu().numpy()
    flat = flat[:: max(1, len(flat) // SAMPLED)]
    if flat.size:
        return flat
    return voxels[where].reshape(-1)[:SAMPLED].cpu().numpy()


@dataclass(frozen=True, slots=True, eq=False)
class IntensityScale:
    """A rising curve from voxel values to 0 … 1, half linear, half by rank in the body."""

    knots: NDArray[np.float64]
    heights: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float32], low: float, high: float) -> "IntensityScale":
        """The scale for the `values` of the body, clipped to `low` … `high`."""
        knots = np.linspace(low, high, 513)
        rank = np.searchsorted(np.sort(values), knots, side="right") / max(1, len(values))
        rank = (rank - rank[0]) / max(rank[-1] - rank[0], 1e-9)
        linear = (knots - low) / (high - low)
        return cls(knots, EQUALISED_SHARE * rank + (1 - EQUALISED_SHARE) * linear)

    def __call__(self, voxels: VoxelArray) -> VoxelArray:
        """`voxels` (slice, row, column) on the scale, on their device; a slab at a time, as it takes six copies."""
        scaled = torch.empty_like(voxels)
        heights = torch.as_tensor(self.heights, dtype=torch.float32, device=voxels.device)
        low, high = self.knots[0], self.knots[-1]
        for part in slabs(voxels):
            position = ((voxels[part] - low) / (high - low)).clamp_(0, 1).mul_(len(self.knots) - 1)
            lower = position.floor().clamp_max_(len(self.knots) - 2)
            index = lower.to(torch.int64)
            scaled[part] = torch.lerp(heights[index], heights[index + 1], position - lower)
        return scaled
