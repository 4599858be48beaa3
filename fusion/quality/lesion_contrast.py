"""Contrast of a lesion against its surroundings, and how much of each source's is kept."""

from dataclasses import dataclass

import torch

from ..errors import ParameterError
from ..types import MaskArray, VoxelArray


@dataclass(frozen=True, slots=True)
class LesionContrast:
    """Mean inside minus mean around, in grey levels, of both sources and of the fused image."""

    fixed: float
    moved: float
    fused: float

    @property
    def kept_of_better(self) -> float:
        """|fused| over the larger of both sources' |contrast|: below 1 a lesion has become harder to see."""
        better = max(abs(self.fixed), abs(self.moved))
        return abs(self.fused) / better if better > 0 else 1.0

    @property
    def kept_of_fixed(self) -> float | None:
        """Fused over fixed contrast, negative where it has turned over; None where the fixed image shows none."""
        return self.fused / self.fixed if self.fixed else None

    @property
    def kept_of_moved(self) -> float | None:
        """Likewise of the moved image."""
        return self.fused / self.moved if self.moved else None


def lesion_contrast(
    fixed: VoxelArray, moved: VoxelArray, fused: VoxelArray, lesion: torch.Tensor, shell: int = 3
) -> LesionContrast:
    """Contrast of `lesion` against the shell of `shell` voxels around it, both in the slices' planes.

    `lesion` is (slice, row, column), bool or the share of each voxel inside, 0 … 1. Own definition: window levels,
    not a ratio to noise, because a fused image is looked at. Raises `ParameterError` where the mask is empty or leaves
    no surroundings.
    """
    share = lesion.to(torch.float64)
    around = _grown(share > 0, shell) & ~(share > 0)
    if not bool((share > 0).any()) or not bool(around.any()):
        raise ParameterError("the lesion's mask is empty or leaves no surroundings")
    inside = share / share.sum()
    contrast = []
    for image in (fixed, moved, fused):
        values = image.to(torch.float64)
        contrast.append(float((values * inside).sum() - values[around].mean()))
    return LesionContrast(*contrast)


def _grown(mask: MaskArray, voxels: int) -> MaskArray:
    """The mask and what lies up to `voxels` rows and columns from it."""
    size = 2 * voxels + 1
    image = mask.to(torch.float32)[:, None]
    return torch.nn.functional.max_pool2d(image, size, stride=1, padding=voxels)[:, 0] > 0
