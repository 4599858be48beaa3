"""Fusion in wavelet packets."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from ..transforms.selection import check_rules, common_base, stronger
from ..transforms.wavelet_packet import fuse_packets
from ..transforms.wavelets import wavelet
from ..volume import Volume
from .inputs import WindowChoice, WindowChoices, aligned_images
from .method import Fused


@dataclass(frozen=True, slots=True)
class Wpd:
    """Per coefficient of the full wavelet packet tree (`coifman1992`) the stronger one, and a common base.

    Unlike `dwt` the bands of details are taken apart too: 8^levels narrow bands in a volume. Parameters are those
    of `dwt`.
    """

    wavelet: str = "db2"
    levels: int = 2
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
        image = fuse_packets(aligned.images, wavelet(self.wavelet), self.levels, fixed.grid.spacing_mm, detail, base)
        return Fused(aligned.over_fixed(image), fixed.grid, "wpd", asdict(self) | aligned.windows)
