"""The local audit file: each line carries the digest of the line before; none can be changed or taken out unseen.

A line is its number, the SHA-256 of the line before (zeros for the first) and the message. What the chain cannot show
is that lines are missing at its end; the number and digest of the last line, kept elsewhere, do.
"""

import fcntl
import hashlib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import NodeError, SettingsError

START = "0" * 64


@dataclass(frozen=True, slots=True)
class Verified:
    """How many lines hold, and the digest of the last."""

    lines: int
    digest: str


class ChainedFile:
    """Appends to the file; a line that was cut off by a crash is taken away first."""

    def __init__(self, path: Path) -> None:
        """Raises `SettingsError` when the file cannot be written, or is by another process."""
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SettingsError(f"audit.file: {path} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise SettingsError(f"audit.file: another node writes {path}") from error
        self._lock = threading.Lock()
        self._size, self._number, self._digest = _end_of(path)

    def __call__(self, messages: Sequence[str]) -> None:
        """Append, and return when it is on the disk. Raises `OSError`; then nothing was appended."""
        number, digest = self._number, self._digest
        lines = bytearray()
        for message in messages:
            number += 1
            line = f"{number} {digest} {message}".encode()
            digest = hashlib.sha256(line).hexdigest()
            lines += line + b"\n"
        with self._lock:
            os.ftruncate(self._file, self._size)  # what a failed attempt may have left
            written = 0
            while written < len(lines):
                written += os.pwrite(self._file, lines[written:], self._size + written)
            os.fsync(self._file)
        self._size, self._number, self._digest = self._size + len(lines), number, digest

    def close(self) -> None:
        """After it nothing is appended: the number of a closed file may already be another's."""
        with self._lock:
            os.close(self._file)
            self._file = -1


def verify(path: Path) -> Verified:
    """Read the file from its first line to its last. Raises `NodeError` that names the first line that is wrong."""
    digest, number = START, 0
    try:
        with path.open("rb") as file:
            for line in file:
                number += 1
                said, before, _ = (*line.split(b" ", 2), b"", b"")[:3]
                if not line.endswith(b"\n"):
                    raise NodeError(f"{path}, line {number}: it was cut off")
                if said != str(number).encode() or before != digest.encode():
                    raise NodeError(
                        f"{path}, line {number}: the chain is broken; a line before it was changed, added or removed"
                    )
                digest = hashlib.sha256(line[:-1]).hexdigest()
    except OSError as error:
        raise NodeError(f"{path} cannot be read: {error.strerror}") from error
    return Verified(number, digest)


def _end_of(path: Path) -> tuple[int, int, str]:
    """Length of the whole lines, number and digest of the last."""
    size, number, digest = 0, 0, START
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            size, number = size + len(line), number + 1
            digest = hashlib.sha256(line[:-1]).hexdigest()
    return size, number, digest
