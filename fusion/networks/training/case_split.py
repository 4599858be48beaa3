"""Which cases are for training and which for validation; by case, for neighbouring slices are nearly equal."""

import json
from collections.abc import Iterable
from importlib.resources import files

from ...errors import ParameterError
from .pairs import TrainingPair


def validation_cases(fold: int = 0) -> frozenset[str]:
    """The numbers of the cases that training never sees. Raises `ParameterError` for a fold that is not there."""
    folds = json.loads(files(__package__).joinpath("case_split.json").read_text(encoding="utf-8"))["validation"]
    if not 0 <= fold < len(folds):
        raise ParameterError(f"a fold is 0 to {len(folds) - 1}, not {fold}")
    return frozenset(folds[fold])


def split_by_case(
    pairs: Iterable[TrainingPair], fold: int = 0
) -> tuple[tuple[TrainingPair, ...], tuple[TrainingPair, ...]]:
    """The pairs to train on and those to validate on."""
    held_out = validation_cases(fold)
    training: list[TrainingPair] = []
    validation: list[TrainingPair] = []
    for pair in pairs:
        (validation if pair.case in held_out else training).append(pair)
    return tuple(training), tuple(validation)
