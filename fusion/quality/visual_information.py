"""Visual information fidelity: how much of what the eye could learn from a source it can learn from the fused image."""

from collections.abc import Iterator

import torch

from .local_windows import Image, Values, every_second, filtered, gaussian, image_axes, moments

SCALES = 4
EYE_NOISE = 2.0
"""Variance of the eye's noise in squared grey levels, as in the pixel-domain program of Sheikh and Bovik."""

VIFF_EYE_NOISE = 0.005 * 255**2
VIFF_WEIGHTS = (1 / 2.15, 0.0, 0.15 / 2.15, 1 / 2.15)
"""Han, Cai, Cao and Xu 2013 (`han2013`), section 4: share of each scale, finest first."""

LEAST = 1e-10
LEAST_INFORMATION = 1e-7


def vif(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """VIFp(A, F) + VIFp(B, F): about 0 … 2; a copy of one source has 1 and a little.

    VIFp(X, F) = Σ log(1 + g² σx² / (σv² + σn²)) / Σ log(1 + σx² / σn²) over four scales and all windows, where
    g = σxf / σx², σv² = σf² - g σxf and σn² = 2 (Sheikh and Bovik 2006, `sheikh2006`, eq. 17, in their pixel-domain
    form: Gaussian windows of 17, 9, 5 and 3 samples). Most fusion papers call this sum VIF, or VIFF; `viff` is the one
    that was published under that name. Grey levels must be 0…255: the noise is fixed. Differentiable.
    """
    return pair_vif(fixed, fused, dimensions) + pair_vif(moved, fused, dimensions)


def vif_min(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """The smaller of VIFp(A, F) and VIFp(B, F): what the worse-served source kept. Differentiable."""
    return torch.minimum(pair_vif(fixed, fused, dimensions), pair_vif(moved, fused, dimensions))


def viff(fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
    """Visual information fidelity for fusion (Han et al. 2013, `han2013`, eq. 9 to 11); higher is better.

    At each window the source whose gain g is smaller stands for both; per scale Σ log(1 + g² σx² / (σv² + σn²)) /
    Σ log(1 + σx² / σn²) of the chosen ones with σn² = 0.005 · 255², then the scales by `VIFF_WEIGHTS`. Not a sum of
    VIFp: on brain slices some 0.2 to 0.7. Differentiable but for the choice.
    """
    total = torch.zeros(fused.shape[: fused.ndim - dimensions], dtype=fused.dtype, device=fused.device)
    scales = zip(
        _information(fixed, fused, VIFF_EYE_NOISE, dimensions),
        _information(moved, fused, VIFF_EYE_NOISE, dimensions),
        VIFF_WEIGHTS,
        strict=True,
    )
    for (kept_a, all_a, gain_a), (kept_b, all_b, gain_b), weight in scales:
        first = gain_a < gain_b
        kept, whole = torch.where(first, kept_a, kept_b), torch.where(first, all_a, all_b)
        total = total + weight * _sum(kept + LEAST_INFORMATION, dimensions) / _sum(
            whole + LEAST_INFORMATION, dimensions
        )
    return total


def pair_vif(source: Image, fused: Image, dimensions: int = 2) -> Values:
    """VIFp of one source and the fused image; 1 for a source that holds nothing, as nothing of it is lost."""
    kept, whole = torch.zeros((), dtype=fused.dtype), torch.zeros((), dtype=fused.dtype)
    kept, whole = kept.to(fused.device), whole.to(fused.device)
    for of_fused, of_source, _ in _information(source, fused, EYE_NOISE, dimensions):
        kept = kept + _sum(of_fused, dimensions)
        whole = whole + _sum(of_source, dimensions)
    return (kept + LEAST) / (whole + LEAST)


def _information(
    source: Image, fused: Image, noise: float, dimensions: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Scale by scale, finest first: information kept, information there, and gain, under every window."""
    for scale in range(SCALES):
        size = 2 ** (SCALES - scale) + 1
        kernel = gaussian(size, size / 5)
        if scale:
            source, fused = (every_second(filtered(image, kernel, dimensions), dimensions) for image in (source, fused))
        _, _, variance_x, variance_f, covariance = moments(source, fused, kernel, dimensions)
        shown = (variance_x >= LEAST) & (variance_f >= LEAST)
        gain = torch.where(shown, covariance / (variance_x + LEAST), 0.0)
        residual = torch.where(gain < 0, variance_f, variance_f - gain * covariance)
        residual = torch.where(variance_f >= LEAST, torch.where(shown, residual, variance_f), 0.0).clamp_min(LEAST)
        gain = gain.clamp_min(0)
        there = torch.where(variance_x >= LEAST, variance_x, 0.0)
        kept = torch.log1p(gain.square() * there / (residual + noise))
        yield kept, torch.log1p(there / noise), gain


def _sum(image: torch.Tensor, dimensions: int) -> Values:
    return image.sum(dim=image_axes(dimensions))
