"""Bytes on disk, named by their SHA-256, durable before `put` returns.

Layout: `<root>/<first two digits>/<digest>` for objects, `<root>/incoming/` for what is being written. A file gets its
final name by a rename after its bytes were fsynced, so that what is visible is whole. Objects never change.
"""

import errno
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO, cast

from .errors import CorruptObjectError, StorageFullError, UnavailableError, UnknownRecordError
from .records import EncodedBytes, StoredObject

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Staged:
    """Bytes on disk that are no object yet; `temporary` is None when the object is there already."""

    stored: StoredObject
    temporary: Path | None


class ObjectStore:
    """The objects below `root`. `reserve_bytes` of the disk are left free: a full disk would stop the database too."""

    def __init__(self, root: Path, reserve_bytes: int = 0) -> None:
        self._root = root.absolute()
        self._reserve_bytes = reserve_bytes
        self._incoming = self._root / "incoming"
        with _translated("the object store cannot be prepared"):
            self._prepare()

    def put(self, *parts: EncodedBytes) -> StoredObject:
        """Keep `parts` as one object; when this returns it outlives a power cut. The same bytes again change nothing.

        Raises `StorageFullError` with nothing written when less than the reserve would stay free.
        """
        staged = self.stage(*parts)
        self.publish([staged])
        return staged.stored

    def stage(self, *parts: EncodedBytes) -> "Staged":
        """Write `parts`, durable but not yet to be found; `publish` makes an object of it, `discard` nothing.

        Raises as `put` does.
        """
        stored = StoredObject(_digest(parts), sum(len(part) for part in parts))
        with _translated("the object store cannot write"):
            if self._kept_already(self._place(stored.digest), stored.size_bytes):
                return Staged(stored, None)
            self._refuse_when_full(stored.size_bytes)
            return Staged(stored, self._write(parts))

    def publish(self, staged: "Sequence[Staged]") -> None:
        """Make objects of what was staged: the directories of several are brought to disk together."""
        shelves = set()
        with _translated("the object store cannot write"):
            for one in staged:
                place = self._place(one.stored.digest)
                shelves.add(place.parent)
                if one.temporary is not None and (one.temporary.exists() or not place.exists()):  # else: done before
                    one.temporary.rename(place)
            # Also where the file was there: whoever renamed it may not have come as far as this line.
            for shelf in shelves:
                _sync_directory(shelf)

    def discard(self, staged: "Staged") -> None:
        """Let go of what was staged and not published."""
        if staged.temporary is not None:
            with suppress(FileNotFoundError):
                staged.temporary.unlink()

    def scratch(self) -> BinaryIO:
        """A file without a name, for what is too large for memory while it arrives; gone when it is closed.

        Raises `StorageFullError` when less than the reserve is free.
        """
        with _translated("the object store cannot set down what arrives"):
            self._refuse_when_full(0)
            return cast(BinaryIO, tempfile.TemporaryFile(dir=self._incoming))

    def path(self, digest: str) -> Path:
        """Where the object lies. Raises `UnknownRecordError` when it does not."""
        place = self._place(digest)
        if not place.is_file():
            raise UnknownRecordError(f"no object {digest} is stored")
        return place

    def read(self, digest: str) -> bytes:
        """The bytes, checked. Raises `UnknownRecordError`, or `CorruptObjectError` when they do not have the digest."""
        place = self.path(digest)
        with _translated(f"the object {digest} cannot be read"):
            data = place.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise CorruptObjectError(f"the object {digest} is damaged on disk; restore it from a backup or its source")
        return data

    def verify(self, digest: str) -> bool:
        """Whether the object's bytes still have its digest, without holding them all in memory."""
        with self.path(digest).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest

    def put_at(self, digest: str) -> datetime:
        """When the object was put last. Raises `UnknownRecordError` when it is not there."""
        return datetime.fromtimestamp(self.path(digest).stat().st_mtime, UTC)

    def digests(self) -> Iterator[str]:
        """Every object, in order."""
        for shelf in _shelves(self._root):
            yield from sorted(file.name for file in shelf.iterdir() if DIGEST.fullmatch(file.name))

    def remove(self, digest: str, put_at: datetime) -> bool:
        """Remove an object that no record names, unless somebody has put it since `put_at`; whether it is gone."""
        with _translated("the object store cannot remove"), self._lock(fcntl.LOCK_EX):
            try:
                if self.put_at(digest) != put_at:
                    return False
            except UnknownRecordError:
                return True
            self._place(digest).unlink(missing_ok=True)
            return True

    def sweep(self, keep: Callable[[str], bool], older_than_s: float) -> int:
        """Remove temporary files and objects that nothing keeps and that nobody put for `older_than_s`; how many."""
        before = time.time() - older_than_s
        removed = 0
        with _translated("the object store cannot be swept"):
            for file in self._incoming.iterdir():
                removed += _remove_if_older(file, before)
            for digest in self.digests():
                if not keep(digest):
                    with self._lock(fcntl.LOCK_EX):
                        removed += _remove_if_older(self._place(digest), before)
        return removed

    def _place(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise UnknownRecordError(f"{digest!r} names no object; a name is 64 hexadecimal digits")
        return self._root / digest[:2] / digest

    def _prepare(self) -> None:
        self._incoming.mkdir(parents=True, exist_ok=True)
        for shelf in _shelves(self._root):
            shelf.mkdir(exist_ok=True)
        (self._root / "lock").touch()
        _sync_directory(self._root)
        for folder in self._root.parents:  # any of them may just have been made, and its entry lies in the one above
            with suppress(PermissionError):  # in what we may not list we made nothing
                _sync_directory(folder)
            if folder.is_mount():
                break

    def _kept_already(self, place: Path, size_bytes: int) -> bool:
        # A fresh modification time tells a sweep that is under way to leave the object alone.
        with self._lock(fcntl.LOCK_SH):
            try:
                if place.stat().st_size != size_bytes:
                    return False
                os.utime(place)
            except FileNotFoundError:
                return False
        return True

    def _refuse_when_full(self, size_bytes: int) -> None:
        free = shutil.disk_usage(self._root).free
        if free - size_bytes < self._reserve_bytes:
            raise StorageFullError(
                f"{self._root} has {free} bytes free and {self._reserve_bytes} are kept in reserve; free some room"
            )

    def _write(self, parts: Sequence[EncodedBytes]) -> Path:
        temporary = self._incoming / uuid.uuid4().hex
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o440)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                for part in parts:
                    _write_all(file, part)
                os.fsync(descriptor)
        except BaseException:
            with suppress(FileNotFoundError):
                temporary.unlink()
            raise
        return temporary

    @contextmanager
    def _lock(self, kind: int) -> Iterator[None]:
        with (self._root / "lock").open("rb") as file:
            fcntl.flock(file, kind)
            yield


def _digest(parts: Sequence[EncodedBytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _write_all(file: RawIOBase, part: EncodedBytes) -> None:
    written, size = 0, len(part)
    with memoryview(part) as view:
        while written < size:
            written += file.write(view[written:]) or 0


def _shelves(root: Path) -> Iterator[Path]:
    return (root / f"{number:02x}" for number in range(256))


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_if_older(file: Path, before: float) -> bool:
    try:
        if file.stat().st_mtime >= before:
            return False
        file.unlink()
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageFullError(f"{what}: the disk is full; free some room") from error
        raise UnavailableError(f"{what}: {error.strerror} ({error.filename})") from error
