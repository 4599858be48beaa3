"""Attention-guided adaptive fusion."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class AdaptiveAttention(LearnedMethod):
    """Attention within and between the modalities, weights of the losses by modality (`li2021attention`)."""

    name: ClassVar[str] = "adaptive_attention"
    network: ClassVar[str] = "adaptive_attention"
