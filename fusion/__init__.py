"""The mathematics: torch in, torch out. No DICOM, no files, no database, no network."""

from .geometry.resample import resample
from .methods import METHODS
from .methods.fuse import fuse
from .volume import Grid, Unit, Volume

__all__ = ["METHODS", "Grid", "Unit", "Volume", "fuse", "resample"]
