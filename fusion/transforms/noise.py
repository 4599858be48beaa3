"""How strong the noise of an image or a band is."""

from ..types import VoxelArray

SAMPLES = 1_000_000
"""Medians are read from evenly spaced places, at most this many."""

TO_SIGMA = 1 / 0.6745
"""Standard deviation of normal noise over the median of its size."""


def median_size(band: VoxelArray) -> float:
    """The median of |band|, from samples."""
    values = band.detach().reshape(-1)
    values = values[:: max(1, values.numel() // SAMPLES)]
    return float(values.abs().median()) if values.numel() else 0.0


def noise_of(image: VoxelArray) -> float:
    """Standard deviation of white noise, from the finest diagonal differences (`donoho1994`).

    They are taken within slices. Where more than half of an image is empty (air that was set to zero), only what is
    not counts.
    """
    if min(image.shape[1:]) < 2:
        return 0.0
    detail = image[:, 1:, 1:] - image[:, 1:, :-1] - image[:, :-1, 1:] + image[:, :-1, :-1]
    something = detail[detail != 0]
    return TO_SIGMA * median_size(something) / 2
