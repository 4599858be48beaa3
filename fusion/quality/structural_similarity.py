"""Structural similarity (SSIM) and its multi-scale form."""

import torch

from .local_windows import Image, Values, every_second, filtered, gaussian, image_axes, moments

WINDOW = gaussian(11, 1.5)
"""Wang, Bovik, Sheikh and Simoncelli 2004 (`wang2004`), section III-C: 11 samples, sigma 1.5."""

K1, K2 = 0.01, 0.03
DATA_RANGE = 255.0

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Wang, Simoncelli and Bovik 2003 (`wang2003`), section 4: exponents of the five scales, finest first."""


def ssim(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Mean of SSIM(A, F) and SSIM(B, F); 1 is best.

    SSIM(X, F) is the mean over all windows that lie inside the image of
    (2 μx μf + C1)(2 σxf + C2) / ((μx² + μf² + C1)(σx² + σf² + C2)) with C1 = (0.01 · 255)², C2 = (0.03 · 255)² and a
    Gaussian window (`wang2004`, eq. 13). The literature differs: some report the sum of both, some a 7 × 7 box,
    some leave the data range to a library that assumes 2 for floats, which is another number altogether.
    `dimensions=3` uses the window in three directions. Differentiable.
    """
    return (pair_ssim(fixed, fused, dimensions) + pair_ssim(moved, fused, dimensions)) / 2


def ms_ssim(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Mean of MS-SSIM(A, F) and MS-SSIM(B, F); 1 is best.

    The product over five scales of the mean contrast-structure term to the power of `SCALE_WEIGHTS`, times the
    luminance term of the coarsest (`wang2003`, eq. 7); between scales 2 × 2 (× 2) means are halved. A negative mean
    counts as 0. Images too small for the window at a scale stop before it, and the weights that are left are made to
    sum to 1. "MS-SSIM" in some fusion toolboxes is another metric (multi-exposure SSIM over three scales).
    Differentiable where it is above 0.
    """
    return (pair_ms_ssim(fixed, fused, dimensions) + pair_ms_ssim(moved, fused, dimensions)) / 2


def pair_ssim(source: Image, fused: Image, dimensions: int = 2) -> Values:
    """SSIM of one source and the fused image."""
    luminance, structure = _terms(source, fused, dimensions)
    return (luminance * structure).mean(dim=image_axes(dimensions))


def pair_ms_ssim(source: Image, fused: Image, dimensions: int = 2) -> Values:
    """MS-SSIM of one source and the fused image."""
    weights = SCALE_WEIGHTS[: _scales(min(source.shape[-2:]))]
    result: Values | None = None
    for number, weight in enumerate(weights, start=1):
        luminance, structure = _terms(source, fused, dimensions)
        term = luminance * structure if number == len(weights) else structure
        factor = term.mean(dim=image_axes(dimensions)).clamp_min(0) ** (weight / sum(weights))
        result = factor if result is None else result * factor
        source, fused = (every_second(filtered(image, (0.5, 0.5), dimensions), dimensions) for image in (source, fused))
    assert result is not None
    return result


def _scales(extent: int) -> int:
    count = 1
    while count < len(SCALE_WEIGHTS) and extent // 2**count >= len(WINDOW):
        count += 1
    return count


def _terms(source: Image, fused: Image, dimensions: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Luminance and contrast-structure under every window (`wang2004`, eq. 6 and the product of eq. 9 and 10)."""
    c1, c2 = (K1 * DATA_RANGE) ** 2, (K2 * DATA_RANGE) ** 2
    mean_x, mean_f, variance_x, variance_f, covariance = moments(source, fused, WINDOW, dimensions)
    luminance = (2 * mean_x * mean_f + c1) / (mean_x.square() + mean_f.square() + c1)
    return luminance, (2 * covariance + c2) / (variance_x + variance_f + c2)
