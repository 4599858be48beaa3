"""Image Pixel module of a grey slice, and the window in which to show it."""

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from fusion.display import Window

from .elements import decimal
from .stored_values import StoredValues


def add_grey_pixels(
    dataset: Dataset, stored: NDArray[np.int16 | np.uint16], values: StoredValues, *, inverted: bool = False
) -> None:
    """One 16-bit slice (rows, columns) or a stack of frames (frames, rows, columns).

    `inverted` says that the largest value is shown black; the values mean the same.
    """
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = int(values.signed)
    if values.padding is not None:
        dataset.PixelPaddingValue = values.padding
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"


def add_window(dataset: Dataset, window: Window) -> None:
    """A window in the quantity; a width below 1 has no linear form (PS3.3 C.11.2.1.2.1)."""
    if window.upper - window.lower >= 1:
        dataset.WindowCenter = decimal((window.lower + window.upper) / 2)
        dataset.WindowWidth = decimal(window.upper - window.lower)
