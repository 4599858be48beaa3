"""MGMDcGAN."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class MgmdcGan(LearnedMethod):
    """A second generator that improves dense structure of the fixed image through a mask (`huang2020`)."""

    name: ClassVar[str] = "mgmdc_gan"
    network: ClassVar[str] = "mgmdc_gan"
