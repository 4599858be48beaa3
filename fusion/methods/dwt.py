"""Fusion in the wavelet transform."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from ..transforms.selection import check_rules, common_base, stronger
from ..transforms.wavelet_pyramid import fuse_pyramid
from ..transforms.wavelets import wavelet
from ..volume import Volume
from .inputs import WindowChoice, WindowChoices, aligned_images
from .method import Fused


@dataclass(frozen=True, slots=True)
class Dwt:
    """Per coefficient of the discrete wavelet transform (`mallat1989`) the stronger one, and a common base.

    Separable along the axes, seven bands of details a level (`pajares2004`). `wavelet` is a name of
    `fusion.transforms.wavelets`; `detail` and `base` are as in `laplacian_pyramid`. An image fused with itself comes
    back.
    """

    wavelet: str = "bior4.4"
    levels: int = 4
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
        image = fuse_pyramid(aligned.images, wavelet(self.wavelet), self.levels, fixed.grid.spacing_mm, detail, base)
        return Fused(aligned.over_fixed(image), fixed.grid, "dwt", asdict(self) | aligned.windows)
