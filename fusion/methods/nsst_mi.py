"""Fusion in denoised shearlet bands, guided by the mutual information of the bands."""

from dataclasses import asdict, dataclass

import torch

from ..errors import ParameterError
from ..transforms.axes import working_axes
from ..transforms.band_information import shared_information
from ..transforms.fourier_frame import fuse_frame
from ..transforms.noise import TO_SIGMA, median_size
from ..transforms.selection import check_rules, energy, in_slabs
from ..transforms.shearlet import shearlet_bands
from ..types import VoxelArray
from ..volume import Volume
from .inputs import WindowChoice, aligned_pair
from .method import Fused


@dataclass(frozen=True, slots=True)
class NsstMi:
    """Shearlet bands (`easley2008`), shrunk against noise, then mixed or selected as their mutual information says.

    Each band of details loses its noise by soft thresholds of σ² / σ_signal (`chang2000`), σ by the median; `denoise`
    is how much of that threshold is taken. Where a band of one image follows from that of the other (normalised mutual
    information near one), both coefficients are mixed by their energies; where it does not, the one of larger energy
    is taken. The same for the base, by brightness. A review compares methods with one it calls M3IF-NSST-MI and says
    of it that it fuses shearlet bands by mutual information after denoising; the rule in detail is ours.
    """

    levels: int = 3
    shears: int = 2
    denoise: float = 1.0
    fixed_window: WindowChoice = None
    moved_window: WindowChoice = None

    def __post_init__(self) -> None:
        check_rules(self.levels, "energy", "mean")
        if self.shears < 1:
            raise ParameterError(f"shears is at least 1, not {self.shears}")
        if not 0 <= self.denoise <= 3:
            raise ParameterError(f"denoise lies between 0 and 3, not at {self.denoise}")

    def __call__(self, fixed: Volume, moved: Volume) -> Fused:
        pair = aligned_pair(fixed, moved, self.fixed_window, self.moved_window)
        axes = working_axes(fixed.grid.shape, fixed.grid.spacing_mm)
        bands = shearlet_bands((self.shears,) * self.levels)
        image = fuse_frame([pair.fixed, pair.moved_or_fixed], axes, bands, self._detail, _base, tight=False)
        return Fused(pair.over_fixed(image), fixed.grid, "nsst_mi", asdict(self) | pair.windows)

    def _detail(self, first: VoxelArray, second: VoxelArray) -> VoxelArray:
        least, limit = (threshold(band, self.denoise) for band in (first, second))
        shared = shared_information(first, second)

        def mixed(ours: VoxelArray, theirs: VoxelArray) -> VoxelArray:
            ours, theirs = shrunk(ours, least), shrunk(theirs, limit)
            return _mixed(ours, theirs, energy(ours), energy(theirs), shared)

        return in_slabs((first, second), mixed)


def threshold(band: VoxelArray, amount: float) -> float:
    """`amount` times σ² / σ_signal (`chang2000`); all of the band where it is nothing but noise."""
    noise = TO_SIGMA * median_size(band)
    signal = max(float(band.square().mean()) - noise**2, 0.0) ** 0.5
    return amount * (noise**2 / signal if signal > 0 else float(band.abs().max()))


def shrunk(band: VoxelArray, least: float) -> VoxelArray:
    """Every coefficient drawn towards zero by `least`."""
    return band - band.clamp(-least, least)


def _base(first: VoxelArray, second: VoxelArray) -> VoxelArray:
    shared = shared_information(first, second)

    def mixed(ours: VoxelArray, theirs: VoxelArray) -> VoxelArray:
        return _mixed(ours, theirs, ours.clamp(min=0.0), theirs.clamp(min=0.0), shared)

    return in_slabs((first, second), mixed)


def _mixed(first: VoxelArray, second: VoxelArray, ours: VoxelArray, theirs: VoxelArray, shared: float) -> VoxelArray:
    """Between the choice of the stronger and the mean by strength, as far as the bands tell the same."""
    total = ours + theirs
    mean = torch.where(total > 0, ours / total.clamp(min=1e-30), 0.5)
    chosen = torch.sign(ours - theirs).add_(1).div_(2)
    return torch.lerp(second, first, torch.lerp(chosen, mean, shared))
