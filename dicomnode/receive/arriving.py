"""The data set that is on its way in: in memory while it is small, in a file without a name when it grows."""

import mmap
from collections.abc import Callable
from typing import BinaryIO

from storage.errors import StorageError, StorageFullError

from ..errors import NodeError, OutOfResourcesError

MEMORY_BYTES = 32 << 20
"""Larger than any single slice. What is larger goes to disk, so that memory does not grow with what peers send."""

KEPT_BYTES = 4 << 20
"""So much memory an association keeps for its next instance."""

Scratch = Callable[[], BinaryIO]
"""Opens a file without a name on the disk of the objects."""


class Arriving:
    """Collects fragments; afterwards `whole` holds them until `clear`.

    What does not fit, in `max_bytes` or on the disk, is let go by while the peer goes on sending; `whole` then raises
    what `receive/status.py` turns into "out of resources".
    """

    def __init__(self, scratch: Scratch, max_bytes: int) -> None:
        self._scratch = scratch
        self._max_bytes = max_bytes
        self._memory = bytearray()
        self._file: BinaryIO | None = None
        self._map: mmap.mmap | None = None
        self._size = 0
        self._trouble: NodeError | StorageError | None = None

    def add(self, fragment: memoryview) -> None:
        """Take the next fragment."""
        self._size += len(fragment)
        if self._trouble is not None:
            return
        if self._size > self._max_bytes:
            self._give_up(
                OutOfResourcesError(f"larger than node.max_instance_bytes, {self._max_bytes} bytes; raise it")
            )
        elif self._file is None and self._size <= MEMORY_BYTES:
            self._memory += fragment
        else:
            self._spill(fragment)

    def whole(self) -> bytearray | mmap.mmap:
        """Everything that came. Raises `OutOfResourcesError` or `StorageFullError` when it did not fit."""
        if self._trouble is not None:
            raise self._trouble
        if self._file is None:
            return self._memory
        if self._map is None:
            self._file.flush()
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._map

    def clear(self) -> None:
        """Forget it all; nothing is left on the disk."""
        if self._map is not None:
            self._map.close()
        if self._file is not None:
            self._file.close()
        if len(self._memory) > KEPT_BYTES:
            self._memory = bytearray()
        else:
            del self._memory[:]
        self._file, self._map, self._trouble, self._size = None, None, None, 0

    def _spill(self, fragment: memoryview) -> None:
        try:
            if self._file is None:
                self._file = self._scratch()
                self._file.write(self._memory)
                self._memory = bytearray()
            self._file.write(fragment)
        except OSError as error:
            self._give_up(StorageFullError(f"a large instance cannot be set down while it arrives: {error.strerror}"))
        except StorageError as error:
            self._give_up(error)

    def _give_up(self, trouble: NodeError | StorageError) -> None:
        self._trouble = trouble
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()
            self._file = None
