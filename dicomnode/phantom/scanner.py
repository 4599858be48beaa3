"""Generated acquisitions: anatomy seen by a scanner with its grid, resolution, contrast and noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fusion.geometry.transform import AffineTransform
from fusion.volume import Grid

from .anatomy import NAMES, TISSUES, noise_at, tissues_at

Image = NDArray[np.float64]

FWHM_TO_SIGMA = 1 / 2.3548


@dataclass(frozen=True, slots=True, eq=False)
class Acquisition:
    """One series to be: where it lies in scanner coordinates, and how the patient lay in them.

    `patient_to_scanner` maps points of the anatomy to the scanner's coordinates (LPS mm): two acquisitions of one
    Frame of Reference share it.
    """

    modality: str
    body_part: str
    grid: Grid
    patient_to_scanner: AffineTransform
    resolution_mm: float
    noise: float
    seed: int


def acquire(acquisition: Acquisition) -> Image:
    """(slice, row, column) HU, T1 signal (arbitrary, 0 to about 1000) or SUV, as the modality measures."""
    quantity = {"CT": "hu", "MR": "t1_signal", "PT": "suv"}[acquisition.modality]
    to_patient = acquisition.patient_to_scanner.inverse()
    values = np.array([getattr(TISSUES[name], quantity) for name in NAMES])
    textures = np.array([TISSUES[name].texture for name in NAMES])
    image = np.empty(acquisition.grid.shape)
    rows, columns = np.meshgrid(*(np.arange(n) for n in acquisition.grid.shape[1:]), indexing="ij")
    for index in range(acquisition.grid.shape[0]):
        plane = np.stack([np.full(rows.shape, float(index)), rows, columns], axis=-1)
        points = to_patient(acquisition.grid.points(plane))
        tissues = tissues_at(acquisition.body_part, points)
        grain = noise_at(points, scale_mm=9.0, seed=4)
        image[index] = values[tissues] + textures[tissues] * grain * np.maximum(np.abs(values[tissues]), 0.02) * 0.5
    sigmas = [acquisition.resolution_mm * FWHM_TO_SIGMA / spacing for spacing in acquisition.grid.spacing_mm]
    return _measure(acquisition, ndimage.gaussian_filter(image, sigmas))


def _measure(acquisition: Acquisition, image: Image) -> Image:
    generator = np.random.default_rng(acquisition.seed)
    white = generator.standard_normal(image.shape)
    if acquisition.modality == "CT":  # noise with the grain of a soft reconstruction kernel
        grain = ndimage.gaussian_filter(white, (0, 0.7, 0.7))
        noisy: Image = image + acquisition.noise * grain / grain.std()
        return noisy
    if acquisition.modality == "PT":  # counting noise, as smooth as the image itself
        grain = ndimage.gaussian_filter(white, 1.0)
        counted: Image = image + acquisition.noise * np.sqrt(np.maximum(image, 0.05)) * grain / grain.std()
        return np.maximum(counted, 0.0)
    bias = 1 + 0.18 * np.sin(np.linspace(-1.2, 1.6, image.shape[1]))[None, :, None]  # a coil nearer to one side
    second = generator.standard_normal(image.shape)
    magnitude: Image = 1000 * np.hypot(image * bias + acquisition.noise * white, acquisition.noise * second)
    return magnitude
