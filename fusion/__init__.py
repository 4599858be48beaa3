"""The mathematics: torch in, torch out. No DICOM, no files, no database, no network."""

from .errors import FusionError, GeometryError, ParameterError, UnknownNameError, UnusableVolumeError
from .geometry.resample import resample
from .methods import METHODS
from .methods.fuse import fuse
from .methods.method import Fused
from .quality import Limits, QualityReport, Verdict, assess, rejected
from .quality.explanation import Explanation, explain
from .registration import REGISTRARS, Registration, register, unregistered
from .volume import Grid, Unit, Volume

__all__ = [
    "METHODS",
    "REGISTRARS",
    "Explanation",
    "Fused",
    "FusionError",
    "GeometryError",
    "Grid",
    "Limits",
    "ParameterError",
    "QualityReport",
    "Registration",
    "Unit",
    "UnknownNameError",
    "UnusableVolumeError",
    "Verdict",
    "Volume",
    "assess",
    "explain",
    "fuse",
    "register",
    "rejected",
    "resample",
    "unregistered",
]
