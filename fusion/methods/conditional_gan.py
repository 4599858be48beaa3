"""The conditional GAN of pix2pix form."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class ConditionalGan(LearnedMethod):
    """A U-Net trained against a judge of patches that knows the sources (`isola2017`)."""

    name: ClassVar[str] = "conditional_gan"
    network: ClassVar[str] = "conditional_gan"
