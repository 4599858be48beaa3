"""Learned fusion: an architecture a file, and how each is trained, in one table."""

from collections.abc import Mapping
from types import MappingProxyType

from .dense_fuse import DenseFuse
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
    }
)
"""Every network by the name that `dicomnode train` takes."""

__all__ = ["NETWORKS", "NetworkEntry"]
