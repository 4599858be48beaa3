"""Fusion in the stationary wavelet transform."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from ..transforms.axes import working_axes
from ..transforms.selection import check_rules, common_base, stronger
from ..transforms.stationary_wavelet import fuse_stationary
from ..transforms.wavelets import wavelet
from ..volume import Volume
from .inputs import WindowChoice, WindowChoices, aligned_images
from .method import Fused


@dataclass(frozen=True, slots=True)
class Swt:
    """Per coefficient of the undecimated wavelet transform (`nason1995`) the stronger one, and a common base.

    Moves with the image: the result does not depend on where the grid begins, which `dwt` shows as blocks at edges.
    Parameters are those of `dwt`.
    """

    wavelet: str = "db2"
    levels: int = 3
    detail: Literal["max_abs", "energy"] = "max_abs"
    base: Literal["mean", "max"] = "mean"
    fixed_window: WindowChoice = None
    moved_window: WindowChoices = None

    def __post_init__(self) -> None:
        check_rules(self.levels, self.detail, self.base)
        wavelet(self.wavelet)

    def __call__(self, fixed: Volume, moved: Volume, *further: Volume) -> Fused:
        aligned = aligned_images(fixed, (moved, *further), self.fixed_window, self.moved_window)
        detail, base = partial(stronger, detail=self.detail), partial(common_base, base=self.base)
        axes = working_axes(fixed.grid.shape, fixed.grid.spacing_mm)
        image = fuse_stationary(aligned.taken(), wavelet(self.wavelet), self.levels, axes, detail, base)
        return Fused(aligned.over_fixed(image), fixed.grid, "swt", asdict(self) | aligned.windows)
