"""DeepFuse."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class DeepFuse(LearnedMethod):
    """A tied encoder and the sum of its features (`prabhakar2017`)."""

    name: ClassVar[str] = "deep_fuse"
    network: ClassVar[str] = "deep_fuse"
