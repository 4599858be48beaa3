"""Image Pixel module of 8-bit sRGB."""

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset


def add_colour_pixels(dataset: Dataset, picture: NDArray[np.uint8]) -> None:
    """(rows, columns, 3), or (frames, rows, columns, 3)."""
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = picture.shape[-3:-1]
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    pixels = np.ascontiguousarray(picture).tobytes()
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    dataset["PixelData"].VR = "OB"
