"""What two images are compared by: features of one contrast, or of any two."""

from collections.abc import Callable

import torch

from ..errors import ParameterError
from ..similarity.cross_correlation import local_correlation, standardised
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

SAME_CONTRAST = 0.25
"""From this `local_likeness` on images of one modality have one contrast. Images under bends of 5 mm: 0.39 to 0.74 with
their own contrast (0.10 for CT, where soft tissue is noise), 0.13 and less with another. T1 with T2, PD, CT of a head:
0.08 and less."""

TISSUE = 0.15
"""Of the range of an image: what is darker is air, or bone in MR, and of one contrast with everything like it."""

TENTH = 0.1
LEAST_PLACES = 50

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
    """The name of the similarity, and the `local_likeness` of the images under the start.

    `auto` is "lncc" for images of one modality that correlate all over where they lie, else "mind", which suits every
    pair. Raises `ParameterError` for another name.
    """
    if wanted not in SIMILARITIES:
        raise ParameterError(f"similarity is one of {', '.join(SIMILARITIES)}, not {wanted!r}")
    correlation = local_likeness(space)
    if wanted != "auto":
        return wanted, correlation
    alike = space.fixed.modality == space.moving.modality and correlation >= SAME_CONTRAST
    return ("lncc" if alike else "mind"), correlation


def local_likeness(space: CommonSpace) -> float:
    """The local correlation that nine tenths of the tissue exceed, at a resolution that forgives the start.

    Not the mean: the outline of a body and a contrast that differs in some tissues only make that high.
    """
    step = max(1, round(COMPARED_MM / space.voxel_mm))
    both = (space.region & space.fixed_valid & space.moving_valid).to(torch.float32)
    coarse = [_averaged(volume.voxels, step) for volume in (space.fixed, space.moving)]
    tissue = (_averaged(both, step) > 0.5) & (coarse[0] > TISSUE) & (coarse[1] > TISSUE)
    correlations = local_correlation(coarse[0], coarse[1], [2.0] * 3)[tissue]
    if len(correlations) < LEAST_PLACES:
        return 0.0
    return float(torch.quantile(correlations[:: 1 + len(correlations) // 500_000], TENTH))


def _averaged(voxels: torch.Tensor, step: int) -> torch.Tensor:
    return torch.nn.functional.avg_pool3d(voxels[None, None], step)[0, 0]
