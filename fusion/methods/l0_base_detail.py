"""Fusion of base and detail, parted by L0 gradient smoothing."""

from dataclasses import asdict, dataclass
from typing import Literal

from ..errors import ParameterError
from ..transforms.axes import working_axes
from ..transforms.l0_smoothing import l0_smoothed
from ..transforms.selection import check_rules, common_base, stronger
from ..volume import Volume
from .inputs import WindowChoice, WindowChoices, aligned_images
from .method import Fused


@dataclass(frozen=True, slots=True)
class L0BaseDetail:
    """Flat pieces with sharp steps as the base (`xu2011`), the rest as detail: the stronger of both, a common base.

    `strength` is the smoothing's λ. Edges stay in the base, so that no halo surrounds them. `detail` and `base` are as
    in `laplacian_pyramid`.
    """

    strength: float = 0.02
    detail: Literal["max_abs", "energy"] = "energy"
    base: Literal["mean", "max"] = "mean"
    fixed_window: WindowChoice = None
    moved_window: WindowChoices = None

    def __post_init__(self) -> None:
        check_rules(1, self.detail, self.base)
        if not 0 < self.strength <= 1:
            raise ParameterError(f"strength lies above 0 and up to 1, not at {self.strength}")

    def __call__(self, fixed: Volume, moved: Volume, *further: Volume) -> Fused:
        aligned = aligned_images(fixed, (moved, *further), self.fixed_window, self.moved_window)
        axes = working_axes(fixed.grid.shape, fixed.grid.spacing_mm)
        bases = [l0_smoothed(image, axes, self.strength) for image in aligned.images]
        image = common_base(*bases, base=self.base)
        details = [base.neg_().add_(whole) for base, whole in zip(bases, aligned.images, strict=True)]
        image = image + stronger(*details, detail=self.detail)
        return Fused(aligned.over_fixed(image), fixed.grid, "l0_base_detail", asdict(self) | aligned.windows)
