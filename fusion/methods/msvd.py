"""Fusion in the multi-resolution singular value decomposition."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from ..transforms.block_svd import fuse_blocks
from ..transforms.selection import check_rules, common_base, stronger
from ..volume import Volume
from .inputs import WindowChoice, WindowChoices, aligned_images
from .method import Fused


@dataclass(frozen=True, slots=True)
class Msvd:
    """Per coefficient along the singular vectors of 2 × 2 × 2 blocks the stronger one, and a common base.

    The decomposition of Naidu 2011 (`naidu2011`) in three dimensions: a basis that the images themselves give, at each
    of `levels`. One basis serves both images (there: the mean of two, which has no exact inverse).
    """

    levels: int = 2
    detail: Literal["max_abs", "energy"] = "max_abs"
    base: Literal["mean", "max"] = "mean"
    fixed_window: WindowChoice = None
    moved_window: WindowChoices = None

    def __post_init__(self) -> None:
        check_rules(self.levels, self.detail, self.base)

    def __call__(self, fixed: Volume, moved: Volume, *further: Volume) -> Fused:
        aligned = aligned_images(fixed, (moved, *further), self.fixed_window, self.moved_window)
        detail, base = partial(stronger, detail=self.detail), partial(common_base, base=self.base)
        image = fuse_blocks(aligned.images, self.levels, fixed.grid.spacing_mm, detail, base)
        return Fused(aligned.over_fixed(image), fixed.grid, "msvd", asdict(self) | aligned.windows)
