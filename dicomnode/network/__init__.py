"""Associations, contexts and peers: shared by what receives, prefetches, sends and answers."""

from .association import Limits, open_association
from .echo import echo
from .libraries import set_library_globals
from .sop_classes import STORAGE_CLASSES, TRANSFER_SYNTAXES, NamedUid

__all__ = [
    "STORAGE_CLASSES",
    "TRANSFER_SYNTAXES",
    "Limits",
    "NamedUid",
    "echo",
    "open_association",
    "set_library_globals",
]
