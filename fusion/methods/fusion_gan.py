"""FusionGAN."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class FusionGan(LearnedMethod):
    """One generator and one judge (`ma2019`)."""

    name: ClassVar[str] = "fusion_gan"
    network: ClassVar[str] = "fusion_gan"
