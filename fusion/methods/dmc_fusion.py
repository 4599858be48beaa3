"""DMC-Fusion."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class DmcFusion(LearnedMethod):
    """A cascade of auto-encoders and a classifier of codes (`zuo2021`)."""

    name: ClassVar[str] = "dmc_fusion"
    network: ClassVar[str] = "dmc_fusion"
