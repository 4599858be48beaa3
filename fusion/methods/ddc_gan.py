"""DDcGAN."""

from dataclasses import dataclass
from typing import ClassVar

from ..volume import Volume
from .learned import LearnedMethod

COARSE = frozenset({"PT", "NM"})


@dataclass(frozen=True, slots=True)
class DdcGan(LearnedMethod):
    """Two judges at different resolutions; the coarse image is PET or SPECT, else the moved one (`ma2020`)."""

    name: ClassVar[str] = "ddc_gan"
    network: ClassVar[str] = "ddc_gan"

    def exchanged(self, fixed: Volume, moved: Volume) -> bool:
        """The network sees the finer image first."""
        return fixed.modality in COARSE and moved.modality not in COARSE
