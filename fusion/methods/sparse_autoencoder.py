"""Sparse auto-encoder features."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class SparseAutoencoderFusion(LearnedMethod):
    """Patches by the sparse codes of a learned auto-encoder (`vu2017`)."""

    name: ClassVar[str] = "sparse_autoencoder"
    network: ClassVar[str] = "sparse_autoencoder"
