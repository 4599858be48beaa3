"""Whether a volume holds anything that can be registered."""

import torch

from ..errors import UnusableVolumeError
from ..volume import Volume

MIN_EXTENT = 3
"""Voxels along every axis: fewer slices than this say nothing about a rotation."""

MIN_VARIED_FRACTION = 1e-4
"""At least this share of the voxels differs from the commonest value; below is noise of a few dead pixels."""


def unusable_reason(volume: Volume) -> str | None:
    """Why nothing can be registered to or with `volume`, as a sentence, or None when it is usable."""
    if min(volume.grid.shape) < MIN_EXTENT:
        return f"the volume has only {min(volume.grid.shape)} voxels along one axis; {MIN_EXTENT} are needed"
    voxels = volume.voxels if volume.valid is None else volume.voxels[volume.valid]
    voxels = voxels[torch.isfinite(voxels)]
    if voxels.numel() < MIN_EXTENT**3:
        return "the volume is empty: no voxel holds a finite, valid value"
    low, high = float(voxels.min()), float(voxels.max())
    if low == high:
        return f"the volume is constant: every voxel is {low:g}"
    commonest = float(voxels.median())
    varied = float((voxels != commonest).float().mean())
    if varied < MIN_VARIED_FRACTION:
        return f"the volume is almost constant: {100 * (1 - varied):.3f} % of the voxels are {commonest:g}"
    return None


def require_usable(volume: Volume, role: str) -> None:
    """Raise `UnusableVolumeError` that names the `role` (fixed, moving) of a volume that cannot be used."""
    reason = unusable_reason(volume)
    if reason is not None:
        raise UnusableVolumeError(f"the {role} image cannot be registered: {reason}")
