"""Bring a database to the shape that this version knows: Alembic run from the program, no ini file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from .errors import UnknownRecordError
from .session import Database

MIGRATIONS = Path(__file__).parent / "migrations"

ADVISORY_LOCK = 0x6675_7369_6F6E
"""PostgreSQL's name for "somebody is migrating": of two nodes that start at once the second waits."""


def upgrade(database: Database, revision: str = "head") -> None:
    """Go forward to `revision` in one transaction; nothing happens when it is there. Raises `UnknownRecordError`."""
    with _known(revision), database.connection() as connection:
        command.upgrade(_configuration(_alone(connection)), revision)


def downgrade(database: Database, revision: str) -> None:
    """Go back to `revision`, or to "base": an empty database. Raises `UnknownRecordError`."""
    with _known(revision), database.connection() as connection:
        command.downgrade(_configuration(_alone(connection)), revision)


def current_revision(database: Database) -> str | None:
    """Where the database stands; None when it is empty."""
    with database.connection() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str:
    """Where this version wants it."""
    head = ScriptDirectory.from_config(_configuration()).get_current_head()
    if head is None:
        raise RuntimeError(f"no migrations are packaged below {MIGRATIONS}")
    return head


def knows(revision: str) -> bool:
    """Whether this version has a way from `revision`."""
    return revision in {step.revision for step in ScriptDirectory.from_config(_configuration()).walk_revisions()}


@contextmanager
def _known(revision: str) -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        raise UnknownRecordError(
            f"there is no way to revision {revision!r}; the newest is {head_revision()}"
        ) from error


def _alone(connection: Connection) -> Connection:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
    return connection


def _configuration(connection: Connection | None = None) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    return configuration
