"""The door to the database: how it is opened, what a transaction promises, and what its failures are called."""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from storage import session as session_module
from storage.catalogue import Catalogue
from storage.errors import StorageError, StorageFullError, UnavailableError
from storage.insertion import insert_new
from storage.migrate import upgrade
from storage.models import PatientRow
from storage.session import Database
from tests.fixtures.stored_records import NOON, PATIENT, instance_record


def patients(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(PatientRow.patient_id)))


def enter(database: Database, patient_id: str, then: Callable[[Session], object] = lambda _session: None) -> None:
    with database.session() as session:
        insert_new(session, PatientRow, issuer="", patient_id=patient_id, folded_id=patient_id)
        then(session)


def test_a_transaction_is_kept_or_undone_as_a_whole(database: Database) -> None:
    enter(database, "kept")
    with pytest.raises(ZeroDivisionError):
        enter(database, "undone", then=lambda _session: 1 / 0)
    assert patients(database) == ["kept"]


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://host/name"])
def test_what_cannot_be_a_ledger_is_refused(url: str) -> None:
    with pytest.raises(StorageError, match="sqlite:///FILE"):
        Database(url)


def test_a_refused_address_does_not_tell_its_password() -> None:
    with pytest.raises(StorageError) as raised:
        Database("mysql://user:secret@host/name")
    assert "secret" not in str(raised.value)


def test_the_usual_spellings_of_postgresql_are_understood() -> None:
    for url in ("postgresql://host/name", "postgres://host/name", "postgresql+psycopg://host/name"):
        database = Database(url)
        assert database.engine.url.drivername == "postgresql+psycopg"
        assert not database.is_sqlite


def test_a_commit_of_sqlite_is_on_disk(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new' / 'folder' / 'ledger.sqlite'}")
    with database.session() as session:
        settings = {
            name: session.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    database.dispose()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.pacs
def test_a_commit_of_postgresql_is_on_disk_whatever_the_role_was_given(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    with database.session() as session:
        session.execute(text("ALTER ROLE CURRENT_USER SET synchronous_commit = off"))
    database.dispose()

    def asked() -> str:
        with database.session() as session:
            answer = session.execute(text("SHOW synchronous_commit")).scalar_one()
            session.rollback()
        return str(answer)

    try:
        assert [asked(), asked()] == ["on", "on"], "also after the first transaction of a connection was rolled back"
    finally:
        with database.session() as session:
            session.execute(text("ALTER ROLE CURRENT_USER RESET synchronous_commit"))
        database.dispose()


def test_readers_of_sqlite_wait_for_nobody(database_url: str) -> None:
    database = Database(database_url)
    upgrade(database)
    enter(database, "first")
    seen: list[list[str]] = []
    with database.session() as session:
        insert_new(session, PatientRow, issuer="", patient_id="second", folded_id="second")
        reader = threading.Thread(target=lambda: seen.append(patients(database)))
        reader.start()
        reader.join(timeout=10)
        assert seen == [["first"]]
    assert patients(database) == ["first", "second"]
    database.dispose()


def test_a_database_that_stays_busy_is_unavailable(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "BUSY_S", 0.1)
    database = Database(database_url)
    upgrade(database)
    other = sqlite3.connect(database.engine.url.database or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError, match="locked"):
        enter(database, "x")
    other.execute("ROLLBACK")
    other.close()

    with database.session():
        busy: list[Exception] = []

        def write() -> None:
            try:
                enter(database, "x")
            except UnavailableError as error:
                busy.append(error)

        writer = threading.Thread(target=write)
        writer.start()
        writer.join(timeout=10)
    assert len(busy) == 1
    enter(database, "x")
    database.dispose()


@pytest.mark.pacs
def test_a_server_that_went_away_is_unavailable_and_one_that_came_back_serves(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    upgrade(database)
    with pytest.raises(UnavailableError), database.session() as session:
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    enter(database, "x")
    assert patients(database) == ["x"]
    database.dispose()


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="did not answer"):
        patients(Database(f"postgresql://user@/name?host={tmp_path}"))


def test_a_full_disk_is_called_so(database_url: str) -> None:
    database = Database(database_url)
    upgrade(database)

    def fill(session: Session) -> None:
        pages = session.execute(text("PRAGMA page_count")).scalar_one()
        session.execute(text(f"PRAGMA max_page_count={pages}"))
        for number in range(10_000):
            insert_new(session, PatientRow, issuer="", patient_id=str(number), folded_id="")

    with pytest.raises(StorageFullError):
        enter(database, "x", then=fill)
    assert patients(database) == []
    database.dispose()


def test_a_ledger_outlives_the_node_even_when_only_its_files_are_copied(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    upgrade(database)
    Catalogue(database).add_instance(instance_record(1), NOON)
    # What the disk holds at this moment is what a power cut would leave: the connection is still open.
    shutil.copytree(Path(database.engine.url.database or "").parent, tmp_path / "after", ignore=lambda *_: ["after"])
    survivor = Database(f"sqlite:///{tmp_path / 'after' / 'ledger.sqlite'}")

    assert Catalogue(survivor).series("1.2.3.4").patient == PATIENT
    survivor.dispose()
    database.dispose()


def test_errors_name_no_patient(database: Database) -> None:
    def enter_again(session: Session) -> None:
        session.add(PatientRow(issuer="", patient_id="MARKED^NAME", folded_id=""))
        session.flush()

    with pytest.raises(StorageError, match="refused a row") as raised:
        enter(database, "MARKED^NAME", then=enter_again)
    assert "MARKED" not in str(raised.value)


def test_times_are_aware_utc_and_naive_ones_are_refused(database: Database) -> None:
    catalogue = Catalogue(database)
    tokyo = timezone(timedelta(hours=9))
    catalogue.add_instance(instance_record(1, received_at=datetime(2024, 5, 17, 21, tzinfo=tokyo)), NOON)
    first = catalogue.series("1.2.3.4").first_received_at
    assert first == NOON
    assert first.tzinfo is UTC

    with pytest.raises(StorageError, match="naive"):
        catalogue.due_series(datetime(2024, 5, 17))  # noqa: DTZ001 - the mistake that is to be noticed
