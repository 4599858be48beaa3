"""Explanations as pictures: one a kind, what tells about the fixed image in one colour, about the moved in another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray

from fusion.quality.explanation import Explanation
from fusion.types import Points
from fusion.volume import Volume

from .contribution_panel import FIXED_COLOUR, MOVED_COLOUR
from .explanation import map_of
from .label import Picture
from .patient_planes import AXIAL, CORONAL, SAGITTAL, PatientPlane, sample

COLOURS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {"fixed": FIXED_COLOUR, "moved": MOVED_COLOUR, "both": (255, 96, 176)}
)
DIMMED = 0.45
"""What is left of the fused brightness beneath the colours."""

HIGHEST = 0.995
"""The share of voxels that are below the brightest colour."""

SAMPLES = 1_000_000

Shares = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One kind: its maps by the source that they tell about, in 0…1 of one scale."""

    kind: str
    shares: Mapping[str, Volume]


def shown(maps: Sequence[Explanation]) -> tuple[Shown, ...]:
    """The maps by kind, sizes without their signs from the least to nearly the largest."""
    kinds = dict.fromkeys(one.kind for one in maps)
    return tuple(_shown(kind, [one for one in maps if one.kind == kind]) for kind in kinds)


def colours_of(kind: Shown, fixed: str, moved: str) -> str:
    """What the colours say."""
    if "both" in kind.shares:
        return f"{fixed} and {moved} red"
    return f"{fixed} orange, {moved} blue"


def explanation_pictures(kind: Shown, fused: torch.Tensor, centre: Points, pixels: int) -> tuple[Picture, ...]:
    """Square pictures in the three planes; `fused` as in `contribution_pictures`."""
    return tuple(_picture(kind, fused, plane, centre, pixels) for plane in (AXIAL, CORONAL, SAGITTAL))


def slice_picture(kind: Shown, fused: torch.Tensor) -> Picture:
    """The first slice at its own size."""
    return tinted(grey_of(fused)[0].numpy(), {of: volume.voxels[0].numpy() for of, volume in kind.shares.items()})


def tinted(grey: Shares, shares: Mapping[str, Shares]) -> Picture:
    """Dimmed brightness, and on it each source's share in its colour."""
    mixed = DIMMED * 255 * np.clip(grey, 0, 1)[..., None]
    for of, share in shares.items():
        mixed = mixed + np.clip(share, 0, 1)[..., None] * COLOURS[of]
    return np.asarray(np.rint(np.clip(mixed, 0, 255)), dtype=np.uint8)


def grey_of(fused: torch.Tensor) -> torch.Tensor:
    """Brightness 0…1 of a fused image, in colour the mean of the three."""
    return fused.to("cpu") if fused.ndim == 3 else fused.to("cpu").float().mean(dim=3) / 255


def _shown(kind: str, maps: Sequence[Explanation]) -> Shown:
    sizes = {one.of: map_of(one).voxels.abs() for one in maps}
    samples = torch.cat([size.reshape(-1)[:: max(1, size.numel() // SAMPLES)] for size in sizes.values()])
    lowest = float(samples.min())
    scale = max(float(torch.quantile(samples[: 2 * SAMPLES], HIGHEST)) - lowest, 1e-12)
    return Shown(kind, {one.of: Volume((sizes[one.of] - lowest) / scale, one.grid) for one in maps})


def _picture(kind: Shown, fused: torch.Tensor, plane: PatientPlane, centre: Points, pixels: int) -> Picture:
    grid = next(iter(kind.shares.values())).grid
    points, _ = plane.points(grid, centre, pixels)
    grey = sample(grey_of(fused).numpy(), grid, points, 0.0)
    return tinted(grey, {of: sample(volume.voxels.numpy(), grid, points, 0.0) for of, volume in kind.shares.items()})
