"""The ledger as one file: copied while the node runs, and put back.

SQLite by its online backup, which sees one moment and keeps nobody waiting; PostgreSQL by its own `pg_dump` and
`pg_restore`, whose major version must not be older than the server's.
"""

import hashlib
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from enum import StrEnum
from pathlib import Path

from sqlalchemy import inspect, select, union

from .errors import CorruptObjectError, StorageError, UnavailableError
from .models import DerivedObjectRow, InstanceRow, SetAsideRow
from .session import Database


class Kind(StrEnum):
    """Which database a copy is of."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


def kind_of(database: Database) -> Kind:
    """Which database it is."""
    return Kind.SQLITE if database.is_sqlite else Kind.POSTGRESQL


def named_digests(database: Database) -> frozenset[str]:
    """Every object that a record names."""
    columns = (InstanceRow.digest, SetAsideRow.digest, DerivedObjectRow.digest)
    with database.reading() as session:
        return frozenset(session.scalars(union(*(select(column) for column in columns))))


def is_empty(database: Database) -> bool:
    """Whether nothing was ever kept in it: no file, or no tables."""
    if database.is_sqlite and not _file_of(database).exists():
        return True
    with database.connection() as connection:
        return not inspect(connection).get_table_names()


def copy_out(database: Database, file: Path) -> None:
    """Write the ledger, as it is at one moment, to `file`. Raises `UnavailableError`, `CorruptObjectError`."""
    temporary = file.with_name(f"{file.name}.unfinished")
    temporary.unlink(missing_ok=True)
    if database.is_sqlite:
        _copy_sqlite(_file_of(database), temporary)
    else:
        _run("pg_dump", database, "--format=custom", "--no-owner", f"--file={temporary}")
    descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.rename(file)


def put_back(database: Database, file: Path) -> None:
    """Make the ledger what `file` holds; what was in it is gone. Nobody may be using it."""
    database.dispose()
    if not database.is_sqlite:
        _run("pg_restore", database, "--clean", "--if-exists", "--no-owner", "--single-transaction", str(file))
        return
    place = _file_of(database)
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f"{place.name}.unfinished")
    shutil.copyfile(file, temporary)
    for rest in ("-wal", "-shm"):  # of the ledger that was here: it would be read into the new one
        place.with_name(place.name + rest).unlink(missing_ok=True)
    temporary.replace(place)


def digest_of(file: Path) -> str:
    """The SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _file_of(database: Database) -> Path:
    return Path(database.address.database or "")


def _copy_sqlite(ledger: Path, file: Path) -> None:
    try:
        with closing(sqlite3.connect(ledger)) as source, closing(sqlite3.connect(file)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
            (said,) = target.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as error:
        raise UnavailableError(f"the ledger cannot be copied: {error}") from error
    if said != "ok":
        file.unlink()
        raise CorruptObjectError(f"the ledger {ledger} is damaged: {said}; restore it from an earlier backup")


def _run(program: str, database: Database, *options: str) -> None:
    address = database.address.set(drivername="postgresql", password=None)
    password = database.address.password
    # Neither the password nor what the programs quote of rows belongs where others can read it.
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    name = "--dbname=" + address.render_as_string(hide_password=False)
    try:
        answer = subprocess.run(
            [program, "--no-password", name, *options], env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise StorageError(f"{program} is not here: install PostgreSQL's client programs") from error
    if answer.returncode != 0:
        first = answer.stderr.strip().partition("\n")[0]
        raise UnavailableError(f"{program} failed: {first}")
