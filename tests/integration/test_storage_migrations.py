"""The migrations lead to what the models say, and back, on every database."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from storage.catalogue import Catalogue
from storage.errors import UnavailableError
from storage.migrate import MIGRATIONS, current_revision, downgrade, head_revision, upgrade
from storage.models import Base
from storage.session import Database


def tables(database: Database) -> set[str]:
    with database.connection() as connection:
        return set(inspect(connection).get_table_names()) - {"alembic_version"}


def test_up_down_and_up_again(empty_database: Database) -> None:
    assert current_revision(empty_database) is None
    upgrade(empty_database)
    assert current_revision(empty_database) == head_revision()
    assert tables(empty_database) == set(Base.metadata.tables)

    downgrade(empty_database, "base")
    assert current_revision(empty_database) is None
    assert tables(empty_database) == set()
    upgrade(empty_database)
    upgrade(empty_database)
    assert tables(empty_database) == set(Base.metadata.tables)


def test_every_step_goes_back_and_forth(empty_database: Database) -> None:
    upgrade(empty_database)
    while current_revision(empty_database) is not None:
        downgrade(empty_database, "-1")
        upgrade(empty_database, "+1")
        downgrade(empty_database, "-1")
    assert tables(empty_database) == set()


def test_migrations_are_the_models(database: Database) -> None:
    with database.connection() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_difference_would_be_found(database: Database) -> None:
    with database.connection() as connection:
        connection.execute(text("DROP INDEX ix_patients_folded_id"))
        connection.execute(text("ALTER TABLE deliveries DROP COLUMN last_error"))
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert {difference[0] for difference in found} == {"add_index", "add_column"}


def test_a_migration_that_fails_half_way_leaves_nothing(empty_database: Database) -> None:
    with empty_database.connection() as connection:
        connection.execute(text("CREATE TABLE set_aside (id INTEGER)"))  # in the way of the last table
    with pytest.raises(Exception, match="set_aside"):
        upgrade(empty_database)
    assert tables(empty_database) == {"set_aside"}
    assert current_revision(empty_database) is None


def test_nodes_that_start_at_once_migrate_once(any_database_url: str) -> None:
    databases = [Database(any_database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, databases))
    assert [current_revision(database) for database in databases] == [head_revision()] * 4
    for database in databases:
        database.dispose()


def test_a_file_is_never_found_locked_while_others_open_it(tmp_path: Path) -> None:
    for k in range(20):  # one opening in ten met another's change to write-ahead logging
        databases = [Database(f"sqlite:///{tmp_path / f'{k}.sqlite'}") for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(upgrade, databases))
        for database in databases:
            database.dispose()


def test_a_database_without_tables_says_what_to_do(empty_database: Database) -> None:
    with pytest.raises(UnavailableError, match="migrate"):
        Catalogue(empty_database).next_due_at()


def test_the_migrations_lie_in_the_package() -> None:
    assert (MIGRATIONS / "env.py").is_file()
    assert MIGRATIONS.parent == Path(__file__).parents[2] / "storage"
