"""Bytes on disk, named by their SHA-256, durable before `put` returns.

Layout: `<root>/<first two digits>/<digest>` for objects, `<root>/incoming/` for what is being written. A file gets its
final name by a rename after its bytes were written, so that what is visible is whole. Objects never change.

What a peer sends comes in by another door, `arrive`: many files reach disk together, by one `sync`. Each has a second
name in `<root>/arrived/`, which also says who sent it, until its row in the index is certain to outlive a power cut. So
that folder is the journal of the index: what is found in it at a start is entered again.
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote, unquote

from .errors import CorruptObjectError, StorageFullError, UnavailableError, UnknownRecordError
from .filesystem import Filesystem
from .records import EncodedBytes, StoredObject

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
DIGEST = re.compile(r"[0-9a-f]{64}")
SLOW_S, ONE_BY_ONE_S = 0.25, 60.0
"""A call for the whole file system that took longer is not tried again for a while."""

LARGE_BYTES = 32 << 20
"""What is larger goes to disk by itself, so that others need not wait for it."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An object that a peer sent, until its row is certain.

    `note` is its second name, `is_new` whether it had none, `is_synced` whether its bytes are on disk by themselves.
    """

    stored: StoredObject
    origin: str
    note: Path
    is_new: bool
    is_synced: bool = False


class ObjectStore:
    """The objects below `root`. `reserve_bytes` of the disk are left free: a full disk would stop the database too."""

    def __init__(self, root: Path, reserve_bytes: int = 0, *, sync_filesystem: bool = True) -> None:
        """`sync_filesystem` False: arrivals are brought to disk one by one, for a disk that much else writes to."""
        self._root = root.absolute()
        self._reserve_bytes = reserve_bytes
        self._incoming = self._root / "incoming"
        self._arrived = self._root / "arrived"
        with _translated("the object store cannot be prepared"):
            self._prepare()
            self._filesystem = Filesystem(self._root)
        self._may_sync_all = sync_filesystem and self._filesystem.can_sync
        self._one_by_one_until = 0.0

    def put(self, *parts: EncodedBytes) -> StoredObject:
        """Keep `parts` as one object; when this returns it outlives a power cut. The same bytes again change nothing.

        Raises `StorageFullError` with nothing written when less than the reserve would stay free.
        """
        stored = _stored(parts)
        place = self._place(stored.digest)
        with _translated("the object store cannot write"):
            if self._kept_already(place, stored.size_bytes):
                _sync(place)  # whoever put it may not have come as far
            else:
                self._refuse_when_full(stored.size_bytes)
                self._write(parts, durable=True).rename(place)
            _sync(place.parent)
        return stored

    def arrive(self, origin: str, *parts: EncodedBytes) -> Arrival:
        """Keep `parts`, which `origin` sent, as one object that outlives a power cut after the next `sync`.

        Raises as `put` does.
        """
        stored = _stored(parts)
        place = self._place(stored.digest)
        note = self._arrived / f"{stored.digest}@{quote(origin, safe='')}@{uuid.uuid4().hex}"
        with _translated("the object store cannot write"):
            is_new = not self._kept_already(place, stored.size_bytes)
            if is_new:
                self._refuse_when_full(stored.size_bytes)
                by_itself = not self._together or stored.size_bytes > LARGE_BYTES
                self._publish(self._write(parts, durable=by_itself), note, place)
            else:
                by_itself = False
                os.link(place, note)
        return Arrival(stored, origin, note, is_new, by_itself)

    def sync(self, arrivals: Sequence[Arrival]) -> None:
        """Return when `arrivals` outlive a power cut: by one call for all, while nobody else keeps the disk busy.

        Raises `UnavailableError`.
        """
        with _translated("the object store cannot bring what arrived to disk"):
            if self._together:
                began = time.monotonic()
                self._filesystem.sync()
                if time.monotonic() - began > SLOW_S:  # it waits for what other programs have written, too
                    self._one_by_one_until = time.monotonic() + ONE_BY_ONE_S
                return
            for arrival in arrivals:
                if not arrival.is_synced:
                    _sync(arrival.note)
            for shelf in {self._place(arrival.stored.digest).parent for arrival in arrivals}:
                _sync(shelf)
            _sync(self._arrived)

    @property
    def _together(self) -> bool:
        return self._may_sync_all and time.monotonic() >= self._one_by_one_until

    def settle(self, arrivals: Iterable[Arrival]) -> None:
        """The rows of these are certain: forget that they arrived."""
        for arrival in arrivals:
            arrival.note.unlink(missing_ok=True)

    def refuse(self, arrival: Arrival) -> None:
        """It shall have no row: let go of it. A later one of the same bytes must not take it for kept."""
        arrival.note.unlink(missing_ok=True)
        if arrival.is_new and not self._notes(arrival.stored.digest):  # somebody else may have sent the same
            self._place(arrival.stored.digest).unlink(missing_ok=True)

    def unsettled(self) -> tuple[Arrival, ...]:
        """What arrived and was not settled; what a power cut left of others is removed."""
        found = []
        for note in sorted(self._arrived.iterdir()):
            digest, origin, _ = note.name.split("@")
            arrival = Arrival(StoredObject(digest, note.stat().st_size), unquote(origin), note, is_new=False)
            place = self._place(digest)
            if place.exists() and not _has_digest(place, digest):
                place.unlink()
            if _has_digest(note, digest):
                with suppress(FileExistsError):
                    os.link(note, place)
                found.append(arrival)
            else:  # nobody was told that it is kept
                note.unlink()
        return tuple(found)

    def _notes(self, digest: str) -> list[Path]:
        return list(self._arrived.glob(f"{digest}@*"))

    def scratch(self) -> BinaryIO:
        """A file without a name, for what is too large for memory while it arrives; gone when it is closed.

        Raises `StorageFullError` when less than the reserve is free.
        """
        with _translated("the object store cannot set down what arrives"):
            self._refuse_when_full(0)
            return cast(BinaryIO, tempfile.TemporaryFile(dir=self._incoming))

    def adopt(self, file: Path, digest: str, *, link: bool = False, check: bool = False) -> bool:
        """Keep the object that lies in `file` of another store, with the time at which it was put; whether it is new.

        It outlives a power cut after the next `sync`. `link`: as another name of the same file, where that can be.
        `check`: what is here already is read, and replaced when it is damaged. Raises `CorruptObjectError` when the
        file does not have the digest, `UnknownRecordError` when it is gone.
        """
        place = self._place(digest)
        with _translated(f"the object {digest} cannot be copied"):
            try:
                size = file.stat().st_size
                if place.exists() and place.stat().st_size == size and not (check and not _has_digest(place, digest)):
                    return False
                self._refuse_when_full(0 if link else size)
                temporary = self._incoming / uuid.uuid4().hex
                if not (link and _linked(file, temporary)):
                    shutil.copy2(file, temporary)
            except FileNotFoundError as error:
                raise UnknownRecordError(f"no object {digest} is stored") from error
            if not _has_digest(temporary, digest):
                temporary.unlink()
                raise CorruptObjectError(f"the object {digest} is damaged on disk; restore it from its source")
            if not self._together:
                _sync(temporary)
            temporary.replace(place)
            if not self._together:
                _sync(place.parent)
        return True

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
        return _has_digest(self.path(digest), digest)

    def put_at(self, digest: str) -> datetime:
        """When the object was put last. Raises `UnknownRecordError` when it is not there."""
        return datetime.fromtimestamp(self.path(digest).stat().st_mtime, UTC)

    def digests(self) -> Iterator[str]:
        """Every object, in order."""
        yield from (file.name for file in objects_below(self._root))

    def remove(self, digest: str, put_at: datetime) -> bool:
        """Remove an object that no record names, unless somebody has put it since `put_at`; whether it is gone."""
        with _translated("the object store cannot remove"), self._lock(fcntl.LOCK_EX):
            try:
                if self.put_at(digest) != put_at:
                    return False
            except UnknownRecordError:
                return True
            for name in (*self._notes(digest), self._place(digest)):
                name.unlink(missing_ok=True)
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
        self._arrived.mkdir(exist_ok=True)
        for shelf in _shelves(self._root):
            shelf.mkdir(exist_ok=True)
        (self._root / "lock").touch()
        _sync(self._root)
        for folder in self._root.parents:  # any of them may just have been made, and its entry lies in the one above
            with suppress(PermissionError):  # in what we may not list we made nothing
                _sync(folder)
            if folder.is_mount():
                break

    def _kept_already(self, place: Path, size_bytes: int) -> bool:
        if not place.exists():
            return False
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
        room = os.statvfs(self._root)
        free = room.f_bavail * room.f_frsize
        if free - size_bytes < self._reserve_bytes:
            raise StorageFullError(
                f"{self._root} has {free} bytes free and {self._reserve_bytes} are kept in reserve; free some room"
            )

    def _write(self, parts: Sequence[EncodedBytes], *, durable: bool) -> Path:
        temporary = self._incoming / uuid.uuid4().hex
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o440)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                for part in parts:
                    _write_all(file, part)
                if durable:
                    os.fsync(descriptor)
        except BaseException:
            with suppress(FileNotFoundError):
                temporary.unlink()
            raise
        return temporary

    @staticmethod
    def _publish(file: Path, note: Path, place: Path) -> None:
        """Both names, the journal's first: what lies on a shelf after a power cut is then looked at."""
        try:
            os.link(file, note)
            file.rename(place)
        except BaseException:
            for name in (note, file):
                name.unlink(missing_ok=True)
            raise

    @contextmanager
    def _lock(self, kind: int) -> Iterator[None]:
        with (self._root / "lock").open("rb") as file:
            fcntl.flock(file, kind)
            yield


def objects_below(root: Path) -> Iterator[Path]:
    """The file of every object below the root of a store, in order, also where nothing can be written."""
    for shelf in _shelves(root):
        if shelf.is_dir():
            yield from sorted(file for file in shelf.iterdir() if DIGEST.fullmatch(file.name))


def _linked(file: Path, name: Path) -> bool:
    try:
        os.link(file, name)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        return False
    return True


def _stored(parts: Sequence[EncodedBytes]) -> StoredObject:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return StoredObject(digest.hexdigest(), sum(len(part) for part in parts))


def _has_digest(file: Path, digest: str) -> bool:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == digest


def _write_all(file: RawIOBase, part: EncodedBytes) -> None:
    written, size = 0, len(part)
    with memoryview(part) as view:
        while written < size:
            written += file.write(view[written:]) or 0


def _shelves(root: Path) -> Iterator[Path]:
    return (root / f"{number:02x}" for number in range(256))


def _sync(path: Path) -> None:
    """A file's bytes, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
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
