"""The door to the database: one `Database` a process, SQLite in a file or PostgreSQL through psycopg.

SQLite: pysqlite's own transactions are switched off. A session that may write begins with BEGIN IMMEDIATE, so that it
never finds half-way through that somebody else was faster; a reading one begins plainly and, in WAL mode, waits for
nobody. synchronous=FULL, and synchronous_commit=on on PostgreSQL, since a commit that answered is a promise. The one
exception is asked for by name (`durable=False`): rows that are entered again, should a power cut take them.
"""

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, ProgrammingError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from .errors import StorageError, StorageFullError, UnavailableError
from .json_records import json_text

BUSY_S = 30
"""How long a writer waits for its turn before the database counts as unavailable."""

POOL_SIZE = 10
MAX_OVERFLOW = 40
"""More connections than associations are ever let in by default."""


class Database:
    """The ledger's connections. Raises `StorageError` for an address that is neither a file nor a server."""

    def __init__(self, url: str) -> None:
        self._url = _address(url)
        self.engine = _engine(self._url)
        self._hasty = _engine(self._url, durable=False) if self.is_sqlite else self.engine
        self._reading = self.engine.execution_options(reading=True)
        self._turn = threading.Lock() if self.is_sqlite else None
        weakref.finalize(self, self.engine.dispose)  # who is done with it need not say so

    @property
    def address(self) -> URL:
        """Where it is, with its password."""
        return self._url

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return self._url.get_backend_name() == "sqlite"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction that may write: committed at the end, rolled back on an error. Never opened within another."""
        with self._own_turn(), _translated(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with _translated(), Session(self._reading, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def connection(self, *, durable: bool = True) -> Iterator[Connection]:
        """A bare connection in a transaction that may write: for migrations, and where the ORM would cost too much.

        `durable` False: a power cut may undo the commit, until `make_durable` or any later commit. PostgreSQL, whose
        server gathers commits by itself, makes no difference.
        """
        with self._own_turn(), _translated(), (self.engine if durable else self._hasty).begin() as connection:
            yield connection

    def make_durable(self) -> None:
        """Return when all that was committed outlives a power cut."""
        if not self.is_sqlite:
            return
        try:  # what is no longer in the write-ahead log was on disk before it left
            descriptor = os.open(f"{self._url.database}-wal", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            os.fsync(descriptor)
        except OSError as error:
            raise UnavailableError(f"the database cannot be brought to disk: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        self._hasty.dispose()

    @contextmanager
    def _own_turn(self) -> Iterator[None]:
        # SQLite has one writer. Threads that queue here are served at once; its own busy handler sleeps and guesses.
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=BUSY_S):
            raise UnavailableError(f"the database was busy for {BUSY_S} s; try again")
        try:
            yield
        finally:
            self._turn.release()


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise StorageError("the database's url is not one; write sqlite:///FILE or postgresql://HOST/NAME") from error
    if address.drivername in ("postgresql", "postgres"):
        address = address.set(drivername="postgresql+psycopg")
    if address.drivername == "sqlite" and address.database not in (None, "", ":memory:"):
        return address
    if address.drivername == "postgresql+psycopg":
        return address
    raise StorageError(
        f"the database {address.render_as_string(hide_password=True)} cannot be a ledger; "
        "write sqlite:///FILE or postgresql://HOST/NAME"
    )


def _engine(url: URL, *, durable: bool = True) -> Engine:
    # Parameters are hidden: they are names and birth dates, and errors end up in logs.
    options: dict[str, Any] = {
        "hide_parameters": True,
        "json_serializer": json_text,
        "pool_size": POOL_SIZE,
        "max_overflow": MAX_OVERFLOW,
    }
    if url.get_backend_name() != "sqlite":
        engine = create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": BUSY_S}, **options)
        event.listen(engine, "connect", _set_up_postgresql)
        return engine
    Path(url.database or "").absolute().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_S}, **options)
    event.listen(engine, "connect", partial(_set_up_sqlite, synchronous="FULL" if durable else "NORMAL"))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object, *, synchronous: str) -> None:
    connection.isolation_level = None
    _write_ahead(connection)
    for pragma in (f"synchronous={synchronous}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: Any) -> None:
    # The change to WAL answers "locked" at once, whatever the time-out, while another process makes the same change.
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _set_up_postgresql(connection: Any, _record: object) -> None:
    # A server, database or role may have switched it off: a commit would answer before it is on disk.
    connection.execute("SET synchronous_commit = on")
    connection.commit()  # a rollback would take it back


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise UnavailableError("every connection to the database is taken; try again") from error
    except DBAPIError as error:
        raise _translation(error) from error
    except StatementError as error:
        raise StorageError(f"a value cannot be kept: {error.orig}") from error


def _translation(error: DBAPIError) -> StorageError:
    said = str(error.orig).strip().partition("\n")[0]
    if "no such table" in said or type(error.orig).__name__ == "UndefinedTable":
        return UnavailableError("the database has no tables yet; migrate it first")
    if "disk is full" in said or type(error.orig).__name__ == "DiskFull":
        return StorageFullError("the disk of the database is full; free some room")
    if isinstance(error, OperationalError) or error.connection_invalidated:
        return UnavailableError(f"the database did not answer: {said}")
    if isinstance(error, ProgrammingError):
        return StorageError(f"the database refused a statement: {said}")
    # Details of other errors quote values, which may name a patient.
    return StorageError(f"the database refused a row ({type(error.orig).__name__})")
