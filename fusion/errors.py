"""What can go wrong in the mathematics.

FusionError
├── GeometryError        a grid or transform that cannot be used
├── UnusableVolumeError  voxels that hold nothing to work on (empty, constant)
├── UnknownNameError     a registrar, method or metric that no table holds
├── UnusableWeightsError trained weights that are not there or do not fit
└── ParameterError       a parameter outside of what the algorithm is defined for
"""

from collections.abc import Iterable


class FusionError(Exception):
    """The mathematics could not be carried out."""


class GeometryError(FusionError):
    """A grid or transform that cannot be used: singular, not finite, of the wrong shape."""


class UnusableVolumeError(FusionError):
    """The voxels hold nothing to work on: empty, constant or not finite."""


class ParameterError(FusionError):
    """A parameter outside of what the algorithm is defined for."""


class UnusableWeightsError(FusionError):
    """Trained weights that are not there, or not those of the network."""


class UnknownNameError(FusionError):
    """A name that the table does not hold; the message lists the names that it does."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no {kind} is called {name!r}; known are {', '.join(sorted(known))}")
