"""Fusion in the non-subsampled shearlet transform."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from ..errors import ParameterError
from ..transforms.axes import working_axes
from ..transforms.fourier_frame import fuse_frame
from ..transforms.selection import check_rules, common_base, stronger
from ..transforms.shearlet import shearlet_bands
from ..volume import Volume
from .inputs import WindowChoice, WindowChoices, aligned_images
from .method import Fused


@dataclass(frozen=True, slots=True)
class Nsst:
    """Per coefficient of the non-subsampled shearlet transform (`easley2008`) the stronger one, and a common base.

    A pyramid, and sheared cones on each of its details: `levels` of them with `shears` slopes a pair of axes, which
    makes 2 shears directions in a plane and 3 shears² in a volume. `detail` and `base` are as in `laplacian_pyramid`.
    """

    levels: int = 3
    shears: int = 2
    detail: Literal["max_abs", "energy"] = "energy"
    base: Literal["mean", "max"] = "mean"
    fixed_window: WindowChoice = None
    moved_window: WindowChoices = None

    def __post_init__(self) -> None:
        check_rules(self.levels, self.detail, self.base)
        if self.shears < 1:
            raise ParameterError(f"shears is at least 1, not {self.shears}")

    def __call__(self, fixed: Volume, moved: Volume, *further: Volume) -> Fused:
        aligned = aligned_images(fixed, (moved, *further), self.fixed_window, self.moved_window)
        detail, base = partial(stronger, detail=self.detail), partial(common_base, base=self.base)
        axes = working_axes(fixed.grid.shape, fixed.grid.spacing_mm)
        bands = shearlet_bands((self.shears,) * self.levels)
        image = fuse_frame(aligned.taken(), axes, bands, detail, base, tight=False)
        return Fused(aligned.over_fixed(image), fixed.grid, "nsst", asdict(self) | aligned.windows)
