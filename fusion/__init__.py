"""The mathematics: torch in, torch out. No DICOM, no files, no database, no network."""

from .geometry.resample import resample
from .methods import METHODS
from .methods.fuse import fuse
from .quality import Limits, QualityReport, Verdict, assess
from .registration import REGISTRARS, Registration, register
from .volume import Grid, Unit, Volume

__all__ = [
    "METHODS",
    "REGISTRARS",
    "Grid",
    "Limits",
    "QualityReport",
    "Registration",
    "Unit",
    "Verdict",
    "Volume",
    "assess",
    "fuse",
    "register",
    "resample",
]
