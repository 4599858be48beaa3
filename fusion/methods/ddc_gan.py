"""DDcGAN."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class DdcGan(LearnedMethod):
    """Two judges at different resolutions; the moved image is the coarse one (`ma2020`)."""

    name: ClassVar[str] = "ddc_gan"
    network: ClassVar[str] = "ddc_gan"
