"""FuseGAN."""

from dataclasses import dataclass
from typing import ClassVar

from .learned import LearnedMethod


@dataclass(frozen=True, slots=True)
class FuseGan(LearnedMethod):
    """A map from a Siamese generator, settled by a random field: every voxel lies between its sources (`guo2019`)."""

    name: ClassVar[str] = "fuse_gan"
    network: ClassVar[str] = "fuse_gan"
