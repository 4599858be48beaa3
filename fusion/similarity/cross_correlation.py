"""Local normalised cross-correlation, as a difference of locally standardised images.

Within a window the correlation is one minus half the mean squared difference of the two images, each less its local
mean and divided by its local standard deviation (Avants et al., Med. Image Anal. 12, 2008, `avants2008`, section 2.3,
define the window's correlation). A squared difference is what a Gauss-Newton step is made for.
"""

from collections.abc import Sequence

from ..geometry.smoothing import gaussian
from ..types import MaskArray, VoxelArray

FLAT_SHARE = 0.05
"""Standard deviations below this share of the image's typical one are taken for noise and divided by it instead."""


def standardised(voxels: VoxelArray, sigma_voxels: Sequence[float], valid: MaskArray | None = None) -> VoxelArray:
    """`voxels` less their local mean, divided by their local standard deviation, under a Gaussian window."""
    mean = gaussian(voxels, sigma_voxels, valid)
    centred = voxels - mean
    variance = gaussian(centred.square(), sigma_voxels, valid)
    typical = float(variance.mean())
    return centred / (variance + FLAT_SHARE * typical + 1e-12).sqrt()


def local_correlation(first: VoxelArray, second: VoxelArray, sigma_voxels: Sequence[float]) -> VoxelArray:
    """The correlation of the two images in the window about each voxel, -1 … 1."""
    one, other = first - gaussian(first, sigma_voxels), second - gaussian(second, sigma_voxels)
    product = gaussian(one * other, sigma_voxels)
    variances = gaussian(one.square(), sigma_voxels) * gaussian(other.square(), sigma_voxels)
    floor = FLAT_SHARE * float(variances.mean()) + 1e-24
    return product / (variances + floor).sqrt()
