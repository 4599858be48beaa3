"""Bringing many files to disk with one call (syncfs(2)), which Python does not know."""

import ctypes
import os
import sys
from pathlib import Path
from typing import Any


class Filesystem:
    """The file system that `folder` lies in."""

    def __init__(self, folder: Path) -> None:
        self._call = _syncfs()
        # One descriptor for good: an error of writing back is told once to each that was open when it happened.
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __del__(self) -> None:
        os.close(self._descriptor)

    @property
    def can_sync(self) -> bool:
        """Whether the system has the call: Linux."""
        return self._call is not None

    def sync(self) -> None:
        """Return when all that was written to it is on disk: data, names and sizes. Raises `OSError`."""
        if self._call is None or self._call(self._descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def _syncfs() -> Any:
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
