"""What every method does with its two volumes first: same grid, same device, brightness 0…1."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch

from ..display.windows import Window, chosen_window
from ..errors import GeometryError
from ..types import MaskArray, VoxelArray
from ..volume import Volume

WindowChoice: TypeAlias = str | Sequence[float] | None
"""A name of `CT_WINDOWS`, (lower, upper) in the unit of the volume, or None for `window_of`."""


@dataclass(frozen=True, slots=True, eq=False)
class AlignedPair:
    """Both images in 0…1 on one grid; `shown` is False where the moved image holds nothing (None: nowhere)."""

    fixed: VoxelArray
    moved: VoxelArray
    shown: MaskArray | None
    fixed_window: Window
    moved_window: Window

    def over_fixed(self, fused: VoxelArray) -> VoxelArray:
        """`fused` in 0…1, and the fixed image alone where the moved one holds nothing."""
        fused = fused.clamp(0.0, 1.0)
        return fused if self.shown is None else torch.where(self.shown, fused, self.fixed)

    @property
    def moved_or_fixed(self) -> VoxelArray:
        """The moved image, and the fixed one where it holds nothing: any other filling would be an edge."""
        return self.moved if self.shown is None else torch.where(self.shown, self.moved, self.fixed)

    @property
    def windows(self) -> dict[str, list[float]]:
        """The windows that were used, for the record of parameters."""
        return {
            "fixed_window": [self.fixed_window.lower, self.fixed_window.upper],
            "moved_window": [self.moved_window.lower, self.moved_window.upper],
        }


def aligned_pair(
    fixed: Volume, moved: Volume, fixed_window: WindowChoice = None, moved_window: WindowChoice = None
) -> AlignedPair:
    """Both volumes through their windows. Raises `GeometryError` unless they lie on one grid and one device."""
    if not fixed.grid.same_geometry(moved.grid):
        raise GeometryError("only volumes on one grid can be fused; resample the moving one onto the fixed grid first")
    if fixed.device != moved.device:
        raise GeometryError(f"the fixed volume is on {fixed.device} and the moved one on {moved.device}")
    shown = torch.isfinite(moved.voxels) if moved.valid is None else moved.valid & torch.isfinite(moved.voxels)
    first, second = chosen_window(fixed, fixed_window), chosen_window(moved, moved_window)
    return AlignedPair(
        first.apply(fixed.voxels),
        second.apply(moved.voxels),
        None if bool(shown.all()) else shown,
        first,
        second,
    )
