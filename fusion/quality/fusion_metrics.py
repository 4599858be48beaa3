"""The table of fusion metrics, and how a fused image is measured with them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

import torch

from ..errors import GeometryError, ParameterError, UnknownNameError
from .brightness import background, mean, psnr, sd
from .difference_correlation import cc, scd, scd_min
from .edge_artefacts import nabf
from .edge_transfer import q_min, qabf
from .entropy import en, ff, fi, fs, mi, nmi
from .envelope import ooe, ooe_exact
from .feature_information import fmi
from .flicker import flicker
from .gradients import ag, sf
from .local_windows import Image, Values
from .structural_similarity import ms_ssim, ssim
from .visual_information import vif, vif_min, viff

Better: TypeAlias = Literal["higher", "lower", "neither"]
Function: TypeAlias = Callable[[Image, Image, Image, int], Values]

GREY_LEVELS = 255.0
SLICES_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: A, B, F in grey levels 0…255 and the number of dimensions in, one number an image out.

    `volumetric` says that three dimensions mean something else than the mean over the slices; `across` that only
    neighbouring slices give it a meaning.
    """

    function: Function
    better: Better
    meaning: str
    volumetric: bool = True
    across: bool = False

    def __call__(self, fixed: Image, moved: Image, fused: Image, dimensions: int = 2) -> Values:
        return self.function(fixed, moved, fused, dimensions)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "EN": Metric(en, "neither", "entropy of the fused image, bits"),
        "mean": Metric(mean, "neither", "mean grey level"),
        "SD": Metric(sd, "higher", "standard deviation of the grey levels"),
        "SF": Metric(sf, "higher", "spatial frequency"),
        "AG": Metric(ag, "higher", "average gradient"),
        "MI": Metric(mi, "higher", "mutual information with both sources, bits"),
        "NMI": Metric(nmi, "higher", "normalised mutual information with both sources"),
        "FS": Metric(fs, "higher", "fusion symmetry, 2 where both sources give as much"),
        "FF": Metric(ff, "higher", "fusion factor, another name of MI"),
        "FI": Metric(fi, "neither", "fusion index, 1 where both sources give as much"),
        "SCD": Metric(scd, "higher", "sum of the correlations of differences"),
        "CC": Metric(cc, "higher", "mean correlation with both sources"),
        "VIF": Metric(vif, "higher", "visual information kept, sum over both sources"),
        "VIFF": Metric(viff, "higher", "visual information fidelity for fusion"),
        "Qabf": Metric(qabf, "higher", "edges of both sources that came through"),
        "Nabf": Metric(nabf, "lower", "edges that no source has"),
        "FMI": Metric(fmi, "higher", "mutual information of gradients, window by window", volumetric=False),
        "SSIM": Metric(ssim, "higher", "structural similarity, mean over both sources"),
        "MS-SSIM": Metric(ms_ssim, "higher", "multi-scale structural similarity, mean over both sources"),
        "PSNR": Metric(psnr, "higher", "peak signal-to-noise ratio, dB"),
        "VIFmin": Metric(vif_min, "higher", "visual information kept of the worse-served source"),
        "SCDmin": Metric(scd_min, "higher", "correlation of difference of the worse-served source"),
        "Qmin": Metric(q_min, "higher", "edges kept of the worse-served source"),
        "OOE": Metric(ooe, "lower", "share outside of the sources' envelope by more than 4 of 255"),
        "OOE0": Metric(ooe_exact, "lower", "share outside of the sources' envelope"),
        "background": Metric(background, "lower", "grey level where both sources are black"),
        "flicker": Metric(flicker, "lower", "steps between slices that no source takes", across=True),
    }
)
"""Every metric by its name in tables; the docstring of each function has formula, source and what differs elsewhere."""


def measure(
    fixed: Image, moved: Image, fused: Image, metrics: Iterable[str] = tuple(METRICS), dimensions: int = 2
) -> dict[str, float]:
    """The metrics of one fused image or volume by their names, in float64.

    All three are (slice, row, column) or (row, column), in 0…1 of their windows: they are measured on the scale of
    8-bit grey levels, without rounding. `dimensions=2` gives the mean over the slices, 3 the value of the volume as a
    whole (FMI has none and gives the mean). Raises `UnknownNameError`, `GeometryError` for shapes that differ, and
    `ParameterError` for other dimensions.
    """
    wanted = list(metrics)
    for name in wanted:
        if name not in METRICS:
            raise UnknownNameError("fusion metric", name, METRICS)
    if dimensions not in (2, 3):
        raise ParameterError(f"images are measured in 2 or 3 dimensions, not {dimensions}")
    if not fixed.shape == moved.shape == fused.shape or fixed.ndim not in (2, 3):
        raise GeometryError(f"three images of one shape are measured, not {fixed.shape}, {moved.shape}, {fused.shape}")
    images = [image.reshape(-1, *image.shape[-2:]) for image in (fixed, moved, fused)]
    return {name: _measured(METRICS[name], images, dimensions) for name in wanted}


def _measured(metric: Metric, images: list[Image], dimensions: int) -> float:
    if dimensions == 3 or metric.across:
        return float(metric(*_levels(images), 3))
    values = []
    for start in range(0, images[0].shape[0], SLICES_AT_ONCE):
        a, b, f = _levels([image[start : start + SLICES_AT_ONCE] for image in images])
        values.append(metric(a, b, f, 2))
    return float(torch.cat(values).mean())


def _levels(images: list[Image]) -> tuple[Image, Image, Image]:
    a, b, f = (image.to(torch.float64) * GREY_LEVELS for image in images)
    return a, b, f
