"""Training of the learned methods: tensors in, weights out; reading images and writing files is the caller's."""

from .case_split import split_by_case, validation_cases
from .objective import Objective
from .pairs import Batch, TrainingPair
from .recipe import NetworkEntry, Recipe
from .state import TrainingState
from .trainer import Progress, Trainer

__all__ = [
    "Batch",
    "NetworkEntry",
    "Objective",
    "Progress",
    "Recipe",
    "Trainer",
    "TrainingPair",
    "TrainingState",
    "split_by_case",
    "validation_cases",
]
