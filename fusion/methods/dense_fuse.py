"""DenseFuse: features of both images from a dense auto-encoder, weighted by their strength."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class DenseFuse(LearnedMethod):
    """Li and Wu 2019 (`li2019`) with the L1-norm rule."""

    name: ClassVar[str] = "dense_fuse"
    network: ClassVar[str] = "dense_fuse"
