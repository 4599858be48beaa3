"""Whether a volume holds anything that can be registered."""

import torch

from ..errors import UnusableVolumeError
from ..volume import Volume

MIN_EXTENT = 3
"""Voxels along every axis: fewer slices than this say nothing about a rotation."""

MIN_VARIED_FRACTION = 1e-4
"""At least this share of the voxels differs from the commonest value; below is noise of a few dead pixels."""

LOOKED_AT = 100_000
"""Voxels whose median is the commonest value where there is one that matters here."""


def unusable_reason(volume: Volume) -> str | None:
    """Why nothing can be registered to or with `volume`, as a sentence, or None when it is usable."""
    if min(volume.grid.shape) < MIN_EXTENT:
        return f"the volume has only {min(volume.grid.shape)} voxels along one axis; {MIN_EXTENT} are needed"
    voxels = measured(volume)
    if voxels.numel() < MIN_EXTENT**3:
        return "the volume is empty: no voxel holds a finite, valid value"
    low, high = (float(v) for v in torch.aminmax(voxels))
    if low == high:
        return f"the volume is constant: every voxel is {low:g}"
    commonest = float(voxels[:: max(1, voxels.numel() // LOOKED_AT)].median())
    varied = int((voxels != commonest).count_nonzero()) / voxels.numel()
    if varied < MIN_VARIED_FRACTION:
        return f"the volume is almost constant: {100 * (1 - varied):.3f} % of the voxels are {commonest:g}"
    return None


def measured(volume: Volume) -> torch.Tensor:
    """(n,): the finite, valid voxels; without a copy where all of them are."""
    voxels = volume.voxels.reshape(-1)
    if volume.valid is not None and not bool(volume.valid.all()):
        voxels = voxels[volume.valid.reshape(-1)]
    # A sum is finite only when every term is, unless it overflows; then the slow way decides.
    return voxels if bool(torch.isfinite(voxels.sum())) else voxels[torch.isfinite(voxels)]


def require_usable(volume: Volume, role: str) -> None:
    """Raise `UnusableVolumeError` that names the `role` (fixed, moving) of a volume that cannot be used."""
    reason = unusable_reason(volume)
    if reason is not None:
        raise UnusableVolumeError(f"the {role} image cannot be registered: {reason}")
