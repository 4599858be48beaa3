"""IFT."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class Ift(LearnedMethod):
    """Features of two scales joined by convolutions and by axial attention (`vibashan2022`)."""

    name: ClassVar[str] = "ift"
    network: ClassVar[str] = "ift"
