"""What every method does with its two volumes first: same grid, same device, brightness 0…1."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from ..display.windows import Window, chosen_window
from ..errors import GeometryError, ParameterError
from ..types import MaskArray, VoxelArray
from ..volume import Volume

WindowChoice: TypeAlias = str | Sequence[float] | None
"""A name of `CT_WINDOWS`, (lower, upper) in the unit of the volume, or None for `window_of`."""

WindowChoices: TypeAlias = WindowChoice | Sequence[WindowChoice]
"""Of several moved volumes: one choice for all of them, or one for each."""


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


@dataclass(frozen=True, slots=True, eq=False)
class AlignedImages:
    """All images in 0…1 on one grid, the fixed one first; it stands in where a moved one holds nothing.

    Any other filling would be an edge. `shown` is False where no moved image holds anything (None: nowhere).
    """

    images: list[VoxelArray]
    shown: MaskArray | None
    windows: dict[str, Any]

    def taken(self) -> list[VoxelArray]:
        """The images, for who uses them up: only what `over_fixed` needs stays here."""
        images = list(self.images)
        del self.images[0 if self.shown is None else 1 :]
        return images

    def over_fixed(self, fused: VoxelArray) -> VoxelArray:
        """`fused` in 0…1, and the fixed image alone where no moved one holds anything."""
        fused = fused.clamp(0.0, 1.0)
        return fused if self.shown is None else torch.where(self.shown, fused, self.images[0])


def aligned_images(
    fixed: Volume, moved: Sequence[Volume], fixed_window: WindowChoice = None, moved_window: WindowChoices = None
) -> AlignedImages:
    """All volumes through their windows. Raises `GeometryError` unless they lie on one grid and one device."""
    choices = _for_each(moved_window, len(moved))
    pairs = [aligned_pair(fixed, each, fixed_window, choice) for each, choice in zip(moved, choices, strict=True)]
    windows = [pair.windows for pair in pairs]
    of_moved = [window["moved_window"] for window in windows]
    masks = [pair.shown for pair in pairs]
    anywhere = None if any(mask is None for mask in masks) else torch.stack([m for m in masks if m is not None]).any(0)
    return AlignedImages(
        [pairs[0].fixed, *(pair.moved_or_fixed for pair in pairs)],
        anywhere,
        {"fixed_window": windows[0]["fixed_window"], "moved_window": of_moved if len(moved) > 1 else of_moved[0]},
    )


def one_window(choice: WindowChoices) -> WindowChoice:
    """The choice for a single moved volume."""
    return _for_each(choice, 1)[0]


def _for_each(choice: WindowChoices, count: int) -> list[WindowChoice]:
    if choice is None or isinstance(choice, str) or all(isinstance(value, int | float) for value in choice):
        return [choice] * count  # type: ignore[list-item]
    if len(choice) != count:
        raise ParameterError(f"moved_window has {len(choice)} windows for {count} moved images")
    return list(choice)  # type: ignore[arg-type]


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
