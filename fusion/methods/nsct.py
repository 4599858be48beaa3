"""Fusion in the non-subsampled contourlet transform."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from ..errors import ParameterError
from ..transforms.axes import working_axes
from ..transforms.contourlet import DEEPEST, contourlet_bands
from ..transforms.fourier_frame import fuse_frame
from ..transforms.selection import check_rules, common_base, stronger
from ..volume import Volume
from .inputs import WindowChoice, WindowChoices, aligned_images
from .method import Fused


@dataclass(frozen=True, slots=True)
class Nsct:
    """Per coefficient of the non-subsampled contourlet transform (`dacunha2006`) the stronger one, and a common base.

    A pyramid, and a directional filter bank on each of its details: `levels` of them with 2^`stages` directions in the
    plane of the slices. The pyramid is three-dimensional where voxels are near to cubes. `detail` and `base` are as in
    `laplacian_pyramid`.
    """

    levels: int = 3
    stages: int = 2
    detail: Literal["max_abs", "energy"] = "energy"
    base: Literal["mean", "max"] = "mean"
    fixed_window: WindowChoice = None
    moved_window: WindowChoices = None

    def __post_init__(self) -> None:
        check_rules(self.levels, self.detail, self.base)
        if not 0 <= self.stages <= DEEPEST:
            raise ParameterError(f"stages lies between 0 and {DEEPEST}, not at {self.stages}")

    def __call__(self, fixed: Volume, moved: Volume, *further: Volume) -> Fused:
        aligned = aligned_images(fixed, (moved, *further), self.fixed_window, self.moved_window)
        detail, base = partial(stronger, detail=self.detail), partial(common_base, base=self.base)
        axes = working_axes(fixed.grid.shape, fixed.grid.spacing_mm)
        bands = contourlet_bands((self.stages,) * self.levels)
        image = fuse_frame(aligned.taken(), axes, bands, detail, base, tight=True)
        return Fused(aligned.over_fixed(image), fixed.grid, "nsct", asdict(self) | aligned.windows)
