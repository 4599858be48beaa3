"""What two images are compared by: features of one contrast, or of any two."""

from collections.abc import Callable

import torch

from ..errors import ParameterError
from ..similarity.cross_correlation import standardised
from ..similarity.mind import mind_ssc, patch_variance
from ..volume import Volume
from .common_space import CommonSpace

FeatureMaker = Callable[[Volume], torch.Tensor]
"""A volume of cubes to (slice, row, column, channels)."""

SIMILARITIES = ("auto", "mind", "lncc")
NAMES = {"mind": "MIND-SSC", "lncc": "local normalised cross-correlation"}

WINDOWS_MM = (3.0, 8.0)
"""Of the local correlation, as the standard deviation of a Gaussian: detail, and what a blurred start still shows."""

NOISE_QUANTILE = 0.4
"""Of the local variances of an image with its air: that much variance everywhere is taken for noise."""

SAME_CONTRAST = 0.5
"""From this mean local correlation on two images of one modality have one contrast."""

COMPARED_MM = 6.0


def mind_features(volume: Volume) -> torch.Tensor:
    """Twelve channels; flat and noisy places hold nothing."""
    noise = float(_quantile(patch_variance(volume.voxels)))
    return mind_ssc(volume.voxels, noise=noise)


def lncc_features(volume: Volume) -> torch.Tensor:
    """One channel a window."""
    parts = [
        standardised(volume.voxels, [sigma / spacing for spacing in volume.grid.spacing_mm], volume.valid)
        for sigma in WINDOWS_MM
    ]
    return torch.stack(parts, dim=-1)


def _quantile(values: torch.Tensor) -> torch.Tensor:
    flat = values.reshape(-1)[:: max(1, values.numel() // 500_000)]
    return torch.quantile(flat, NOISE_QUANTILE)


MAKERS: dict[str, FeatureMaker] = {"mind": mind_features, "lncc": lncc_features}


def chosen_similarity(wanted: str, space: CommonSpace) -> tuple[str, float]:
    """The name of the similarity, and the mean local correlation of the images under the start.

    `auto` is "lncc" for images of one modality that correlate where they lie, else "mind". Raises `ParameterError`
    for another name.
    """
    if wanted not in SIMILARITIES:
        raise ParameterError(f"similarity is one of {', '.join(SIMILARITIES)}, not {wanted!r}")
    correlation = local_likeness(space)
    if wanted != "auto":
        return wanted, correlation
    alike = space.fixed.modality == space.moving.modality and correlation >= SAME_CONTRAST
    return ("lncc" if alike else "mind"), correlation


def local_likeness(space: CommonSpace) -> float:
    """The correlation of both images' local contrast over what both show, at a resolution that forgives the start."""
    step = max(1, round(COMPARED_MM / space.voxel_mm))
    both = (space.region & space.fixed_valid & space.moving_valid).to(torch.float32)
    kept = torch.nn.functional.avg_pool3d(both[None, None], step)[0, 0] > 0.5
    values = []
    for volume in (space.fixed, space.moving):
        coarse = torch.nn.functional.avg_pool3d(volume.voxels[None, None], step)[0, 0]
        values.append(standardised(coarse, [2.0] * 3)[kept].double())
    if values[0].numel() < 8:
        return 0.0
    first, second = (part - part.mean() for part in values)
    return float((first * second).sum() / (first.square().sum() * second.square().sum()).sqrt().clamp_min(1e-12))
