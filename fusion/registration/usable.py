"""Whether a volume holds anything that can be registered."""

import math
from collections.abc import Iterator

import torch

from ..errors import UnusableVolumeError
from ..volume import Volume

MIN_EXTENT = 3
"""Voxels along every axis: fewer slices than this say nothing about a rotation."""

MIN_VARIED_FRACTION = 1e-4
"""At least this share of the voxels differs from the commonest value; below is noise of a few dead pixels."""

LOOKED_AT = 100_000
"""Voxels whose median is the commonest value where there is one that matters here."""

AT_ONCE = 2**22
"""Voxels that are looked at together."""


def unusable_reason(volume: Volume) -> str | None:
    """Why nothing can be registered to or with `volume`, as a sentence, or None when it is usable."""
    if min(volume.grid.shape) < MIN_EXTENT:
        return f"the volume has only {min(volume.grid.shape)} voxels along one axis; {MIN_EXTENT} are needed"
    count, low, high = 0, math.inf, -math.inf
    some = []
    for part in measured_parts(volume):
        count += part.numel()
        if part.numel():
            low, high = min(low, float(part.min())), max(high, float(part.max()))
            some.append(part[:: max(1, volume.voxels.numel() // LOOKED_AT)])
    if count < MIN_EXTENT**3:
        return "the volume is empty: no voxel holds a finite, valid value"
    if low == high:
        return f"the volume is constant: every voxel is {low:g}"
    commonest = float(torch.cat(some).median())
    varied = 0
    for part in measured_parts(volume):
        varied += int((part != commonest).count_nonzero())
        if varied >= MIN_VARIED_FRACTION * count:
            return None
    return f"the volume is almost constant: {100 * (1 - varied / count):.3f} % of the voxels are {commonest:g}"


def measured_parts(volume: Volume) -> Iterator[torch.Tensor]:
    """(n,) each: the finite, valid voxels, a few slices at a time, so that nothing of the volume's size is made."""
    slices = max(1, AT_ONCE // math.prod(volume.grid.shape[1:]))
    for first in range(0, volume.grid.shape[0], slices):
        voxels = volume.voxels[first : first + slices]
        counts = torch.isfinite(voxels)
        if volume.valid is not None:
            counts &= volume.valid[first : first + slices]
        yield voxels.reshape(-1) if bool(counts.all()) else voxels[counts]


def require_usable(volume: Volume, role: str) -> None:
    """Raise `UnusableVolumeError` that names the `role` (fixed, moving) of a volume that cannot be used."""
    reason = unusable_reason(volume)
    if reason is not None:
        raise UnusableVolumeError(f"the {role} image cannot be registered: {reason}")
