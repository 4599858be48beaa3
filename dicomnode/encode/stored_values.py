"""Quantities to integers: stored value = quantity / slope, with one slope for a series, the one that is written."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fusion.volume import Volume

from ..errors import EncodeError
from .elements import decimal


@dataclass(frozen=True, slots=True)
class StoredValues:
    """How a volume becomes 16-bit integers: `slope` is the decimal string that the object carries.

    Error of a stored value: at most half of the slope. `is_integer` says that the slope is 1 and needs no mention.
    """

    slope: str
    signed: bool
    lowest: float
    highest: float
    padding: int | None = None

    @property
    def is_integer(self) -> bool:
        """Whether stored values are the quantities themselves."""
        return float(self.slope) == 1.0

    def of(self, voxels: torch.Tensor, valid: torch.Tensor | None = None) -> NDArray[np.int16 | np.uint16]:
        """The stored values of `voxels` (any shape); the padding value where `valid` is False."""
        quantities = np.clip(voxels.numpy().astype(np.float64), self.lowest, self.highest)
        stored = np.rint(quantities / float(self.slope))
        if self.padding is not None and valid is not None:
            stored[~valid.numpy()] = self.padding
        return stored.astype("<i2" if self.signed else "<u2")


def hounsfield(padding: int) -> StoredValues:
    """Whole Hounsfield units, clipped so that none becomes the padding value or wraps."""
    return StoredValues("1", signed=True, lowest=padding + 1, highest=32767, padding=padding)


def scaled(moved: Volume, source: Volume) -> StoredValues:
    """One slope that spends the 16 bits on the range of `moved`.

    Interpolation makes no negative activity: below zero is clamped unless the source itself goes there.
    """
    _require_finite(moved)
    lowest = min(0.0, float(source.voxels.min()))
    highest = max(float(moved.voxels.max()), 0.0)
    signed = lowest < 0
    lowest = max(lowest, float(moved.voxels.min())) if signed else 0.0
    steps = 32767 if signed else 65535
    peak = max(highest, -lowest)
    return StoredValues(_slope(peak, steps), signed, lowest, highest)


def whole_or_scaled(moved: Volume, source: Volume) -> StoredValues:
    """Slope 1 when the source holds integers that fit, so that its values are kept; else one slope for the range."""
    _require_finite(moved)
    lowest, highest = float(source.voxels.min()), float(source.voxels.max())
    whole = bool(torch.equal(source.voxels, source.voxels.round()))
    signed = lowest < 0
    if whole and highest - min(lowest, 0.0) >= 1 and lowest >= -32768 and highest <= (32767 if signed else 65535):
        return StoredValues("1", signed, min(lowest, 0.0), highest)
    return scaled(moved, source)


def _slope(peak: float, steps: int) -> str:
    """A decimal string no smaller than `peak / steps`, so that the peak fits."""
    if peak <= 0:
        return "1"
    exact = peak / steps
    written = decimal(exact)
    while peak / float(written) > steps:
        exact *= 1 + 1e-10
        written = decimal(exact)
    return written


def _require_finite(volume: Volume) -> None:
    if not bool(torch.isfinite(volume.voxels).all()):
        raise EncodeError("the resampled series holds values that are not finite and cannot be stored as integers")
