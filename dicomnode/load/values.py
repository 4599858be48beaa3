"""From stored values to the quantity: Modality LUT, rescale of each frame, padding."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut

from .headers import FrameHeader, as_number, filled
from .real_world import mapping_of

LOWEST_HU = -1500.0
"""CT numbers below this mean "outside of the scan circle" whether declared as padding or not: air is -1000."""


@dataclass(frozen=True, slots=True, eq=False)
class Rescale:
    """How stored values become the quantity; `lut` is the data set whose Modality LUT does it instead."""

    slope: float = 1.0
    intercept: float = 0.0
    lut: Dataset | None = None

    def __call__(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Values of the quantity, computed in double precision."""
        if self.lut is not None:
            return np.asarray(apply_modality_lut(stored, self.lut), dtype=np.float32)
        return np.asarray(stored.astype(np.float64) * self.slope + self.intercept, dtype=np.float32)


def rescale_of(header: FrameHeader) -> Rescale:
    """The frame's mapping to its quantity: real world, own or shared rescale, or Modality LUT (PS3.3 C.11.1)."""
    real_world = mapping_of(header)
    if real_world is not None:
        return Rescale(real_world.slope, real_world.intercept)
    slope, intercept = header.number("RescaleSlope"), header.number("RescaleIntercept")
    if slope is None and intercept is None and filled(header.dataset, "ModalityLUTSequence") is not None:
        return Rescale(lut=header.dataset)
    return Rescale(1.0 if slope is None else slope, 0.0 if intercept is None else intercept)


def padding_of(dataset: Dataset, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Where stored values are padding (PS3.3 C.7.5.1.1.2), or None where none is declared."""
    value = as_number(filled(dataset, "PixelPaddingValue"))
    if value is None or stored.dtype.kind == "f":
        return None
    limit = as_number(filled(dataset, "PixelPaddingRangeLimit"))
    ends = [_as_stored(int(end), stored.dtype) for end in (value, value if limit is None else limit)]
    padding: NDArray[np.bool_] = (stored >= min(ends)) & (stored <= max(ends))
    return padding


def _as_stored(value: int, dtype: np.dtype[Any]) -> int:
    """The padding value in the representation of the pixels: writers mix up US and SS."""
    bits = 8 * dtype.itemsize
    wrapped = value & ((1 << bits) - 1)
    return wrapped - (1 << bits) if dtype.kind == "i" and wrapped >= 1 << (bits - 1) else wrapped
