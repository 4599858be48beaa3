"""Learned fusion: an architecture a file, and how each is trained, in one table."""

from collections.abc import Mapping
from types import MappingProxyType

from .dense_fuse import DenseFuse
from .mixture_weights import MixtureWeights
from .published import PUBLISHED
from .training.augmentation import Geometric, Photometric, Style
from .training.balanced_mixture import BalancedMixture
from .training.recipe import NetworkEntry, Recipe
from .training.reconstruction import Reconstruction

NETWORKS: Mapping[str, NetworkEntry] = MappingProxyType(
    {
        "dense_fuse": NetworkEntry(
            DenseFuse,
            Recipe(
                Reconstruction,
                steps=400,
                learning_rate=2e-3,
                smaller="crops of 64 x 64 and 400 steps of 8 instead of 80 000 images of 256 x 256",
            ),
        ),
        "mixture_weights": NetworkEntry(
            MixtureWeights,
            Recipe(
                BalancedMixture,
                steps=1500,
                batch=4,
                crop=128,
                learning_rate=3e-3,
                augmentations=(Geometric(0.15), Photometric(0.1, 0.8, 0.01), Style(0.05)),
                validate_every=250,
                smaller="nothing: it is this project's own",
            ),
        ),
        **PUBLISHED,
    }
)
"""Every network by the name that `dicomnode train` takes."""

__all__ = ["NETWORKS", "NetworkEntry"]
