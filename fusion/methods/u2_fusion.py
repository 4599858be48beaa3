"""U2Fusion."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class U2Fusion(LearnedMethod):
    """A dense network whose loss weighs the sources by their information (`xu2022`)."""

    name: ClassVar[str] = "u2_fusion"
    network: ClassVar[str] = "u2_fusion"
