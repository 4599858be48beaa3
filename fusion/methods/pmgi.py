"""PMGI."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class Pmgi(LearnedMethod):
    """Paths for gradient and intensity with transfer between them; gradients mostly of the moved (`zhang2020pmgi`)."""

    name: ClassVar[str] = "pmgi"
    network: ClassVar[str] = "pmgi"
