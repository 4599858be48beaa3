"""MMI-Fuse."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class IcsAutoencoder(LearnedMethod):
    """Features joined by attention and by the information that each source preserves (`shi2022`)."""

    name: ClassVar[str] = "ics_autoencoder"
    network: ClassVar[str] = "ics_autoencoder"
