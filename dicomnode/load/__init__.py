"""From instances and image files to a Volume."""

from .corrected import with_patient
from .deformation import load_deformation
from .folders import FoundSeries, find_series
from .inputs import LoadedInput, load_input
from .series import LoadedSeries, load_series

__all__ = [
    "FoundSeries",
    "LoadedInput",
    "LoadedSeries",
    "find_series",
    "load_deformation",
    "load_input",
    "load_series",
    "with_patient",
]
