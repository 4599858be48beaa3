"""A GAN with a dense encoder."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class DenseGan(LearnedMethod):
    """A dense block in the generator (`zhao2021`)."""

    name: ClassVar[str] = "dense_gan"
    network: ClassVar[str] = "dense_gan"
