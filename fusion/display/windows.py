"""From quantities to brightness: which part of a volume's range is shown, from black to white."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch

from ..errors import ParameterError
from ..types import VoxelArray
from ..volume import Unit, Volume

SUV_UNITS = frozenset({Unit.SUV_BW, Unit.SUV_LBM, Unit.SUV_BSA, Unit.SUV_IBW})

LEAST_SUV = 5.0
"""The upper end of an SUV window is never lower, so that normal tissue is not stretched to look like disease."""

SAMPLES = 1_000_000
"""Percentiles are read from evenly spaced voxels, at most this many."""

BODY_SHARE = 0.05
"""Emission and MR images are mostly air: the body is what is above this share of the 99.9th percentile."""


@dataclass(frozen=True, slots=True)
class Window:
    """`lower` is shown black, `upper` white, in the unit of the volume; `ParameterError` unless lower < upper.

    `inverted` shows `upper` black and `lower` white.
    """

    lower: float
    upper: float
    inverted: bool = False

    def __post_init__(self) -> None:
        if not self.lower < self.upper or self.upper - self.lower == float("inf"):
            raise ParameterError(
                f"a window goes from a lower to an upper finite value, not {self.lower} to {self.upper}"
            )

    @property
    def black(self) -> float:
        """The value of the dark end."""
        return self.upper if self.inverted else self.lower

    @property
    def white(self) -> float:
        """The value of the bright end."""
        return self.lower if self.inverted else self.upper

    def apply(self, voxels: VoxelArray) -> VoxelArray:
        """Linear between the ends and flat beyond: float32 in 0…1. NaN is black."""
        shown = torch.nan_to_num(voxels, nan=self.black, posinf=math.inf, neginf=-math.inf)
        return shown.sub(self.black).div_(self.white - self.black).clamp_(0.0, 1.0)


CT_WINDOWS: Mapping[str, Window] = MappingProxyType(
    {
        "soft_tissue": Window(-160.0, 240.0),
        "brain": Window(0.0, 80.0),
        "bone": Window(-500.0, 1300.0),
        "lung": Window(-1350.0, 150.0),
    }
)
"""Usual centre/width in HU: 40/400, 40/80, 400/1800, -600/1500."""


def chosen_window(volume: Volume, wanted: str | Sequence[float] | None) -> Window:
    """The window that a person named or gave as (lower, upper), else `window_of`. Names are those of `CT_WINDOWS`.

    A volume with `inverted_display` is shown so in each of them.
    """
    return replace(_chosen(volume, wanted), inverted=volume.inverted_display)


def _chosen(volume: Volume, wanted: str | Sequence[float] | None) -> Window:
    if wanted is None:
        return window_of(volume)
    if isinstance(wanted, str):
        if wanted not in CT_WINDOWS:
            raise ParameterError(f"no window is called {wanted!r}; known are {', '.join(sorted(CT_WINDOWS))}")
        if volume.unit is not Unit.HU:
            raise ParameterError(
                f"the window {wanted!r} is in HU and the volume in {volume.unit.value}; give two values"
            )
        return CT_WINDOWS[wanted]
    if len(wanted) != 2:
        raise ParameterError(f"a window is two values, lower and upper, not {list(wanted)}")
    return Window(float(wanted[0]), float(wanted[1]))


def window_of(volume: Volume) -> Window:
    """The window in which a volume is shown when nobody says otherwise.

    CT in HU: soft tissue (40/400). PET in SUV: 0 to the 99.5th percentile of the body, at least 5. PET in Bq/ml or
    counts, and NM: 0 to the 99.5th percentile of the body. MR: 1st percentile of all to the 99.5th of the body.
    All else: 0.5th to 99.5th percentile. An empty or constant volume gets a window of width one that shows it black
    (white with `inverted_display`).
    """
    return replace(_usual(volume), inverted=volume.inverted_display)


def _usual(volume: Volume) -> Window:
    if volume.unit is Unit.HU:
        return CT_WINDOWS["soft_tissue"]
    values = _measured_samples(volume)
    if volume.unit in SUV_UNITS:
        return Window(0.0, max(LEAST_SUV, _body_percentile(values, 99.5)))
    if volume.modality in ("PT", "NM"):
        return _window(0.0, _body_percentile(values, 99.5))
    if volume.modality == "MR":
        return _window(_percentile(values, 1.0), _body_percentile(values, 99.5))
    return _window(_percentile(values, 0.5), _percentile(values, 99.5))


def _window(lower: float, upper: float) -> Window:
    # Relative to the values: a window narrower than float32 resolves is a constant volume.
    return Window(lower, upper if upper - lower > 1e-6 * max(abs(lower), abs(upper)) else lower + 1.0)


def _measured_samples(volume: Volume) -> torch.Tensor:
    """Evenly spaced valid, finite voxels, flat; may be empty."""
    voxels = volume.voxels.reshape(-1)
    stride = max(1, -(-voxels.numel() // SAMPLES))
    values = voxels[::stride]
    measured = torch.isfinite(values)
    if volume.valid is not None:
        measured &= volume.valid.reshape(-1)[::stride]
    return values[measured]


def _body_percentile(values: torch.Tensor, percent: float) -> float:
    return _percentile(values[values > BODY_SHARE * _percentile(values, 99.9)], percent)


def _percentile(values: torch.Tensor, percent: float) -> float:
    """0 of an empty one."""
    return float(torch.quantile(values, percent / 100)) if values.numel() else 0.0
