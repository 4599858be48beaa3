"""How a network is trained."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from .augmentation import STANDARD, Augmentation
from .objective import Objective


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that training needs beside pairs and a seed.

    `smaller` says what was made smaller than in the paper; it goes into the card. `validate_every` and `patience`
    are in steps and validations: training ends when so many validations in a row were no better.
    """

    objective: Callable[[], Objective]
    steps: int = 1500
    batch: int = 8
    crop: int = 64
    learning_rate: float = 1e-3
    augmentations: tuple[Augmentation, ...] = STANDARD
    validate_every: int = 100
    patience: int = 6
    largest_gradient: float = 1.0
    smaller: str = ""


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """An architecture and how it is trained."""

    architecture: Callable[[], nn.Module]
    recipe: Recipe

    def untrained(self, seed: int) -> nn.Module:
        """The network with the weights that `seed` draws."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.architecture()
