"""Fusion in a curvelet frame."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from ..errors import ParameterError
from ..transforms.axes import working_axes
from ..transforms.curvelet import curvelet_bands
from ..transforms.fourier_frame import fuse_frame
from ..transforms.selection import check_rules, common_base, stronger
from ..volume import Volume
from .inputs import WindowChoice, WindowChoices, aligned_images
from .method import Fused


@dataclass(frozen=True, slots=True)
class Curvelet:
    """Per coefficient of a curvelet frame (`candes2006`) the stronger one, and a common base.

    Wedges of frequency rings, more and narrower ones the finer the ring: edges along curves need few of them. `wedges`
    is the number in the finest ring of a plane; see `fusion.transforms.curvelet` for volumes. `detail` and `base` are
    as in `laplacian_pyramid`.
    """

    levels: int = 3
    wedges: int = 16
    detail: Literal["max_abs", "energy"] = "energy"
    base: Literal["mean", "max"] = "mean"
    fixed_window: WindowChoice = None
    moved_window: WindowChoices = None

    def __post_init__(self) -> None:
        check_rules(self.levels, self.detail, self.base)
        if self.wedges < 4:
            raise ParameterError(f"wedges is at least 4, not {self.wedges}")

    def __call__(self, fixed: Volume, moved: Volume, *further: Volume) -> Fused:
        aligned = aligned_images(fixed, (moved, *further), self.fixed_window, self.moved_window)
        detail, base = partial(stronger, detail=self.detail), partial(common_base, base=self.base)
        axes = working_axes(fixed.grid.shape, fixed.grid.spacing_mm)
        bands = curvelet_bands(self.levels, self.wedges)
        image = fuse_frame(aligned.taken(), axes, bands, detail, base, tight=True)
        return Fused(aligned.over_fixed(image), fixed.grid, "curvelet", asdict(self) | aligned.windows)
