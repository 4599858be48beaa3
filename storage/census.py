"""How many of everything there are, and whose names must not leave: for a look at the ledger from outside."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import InstrumentedAttribute

from .models import Base, CaseRow, DeliveryRow, FetchRow, InstanceRow, PatientRow, SeriesRow, StudyRow
from .records import CaseState
from .session import Database

COUNTED: Mapping[str, type[Base]] = {"patients": PatientRow, "studies": StudyRow, "instances": InstanceRow}
STATES: Mapping[str, InstrumentedAttribute[Any]] = {
    "series": SeriesRow.state,
    "cases": CaseRow.state,
    "deliveries": DeliveryRow.state,
    "fetches": FetchRow.state,
}


def census(database: Database) -> dict[str, int | dict[str, int]]:
    """How many rows each table has, by state where there is one."""
    found: dict[str, int | dict[str, int]] = {}
    with database.reading() as session:
        for name, counted in COUNTED.items():
            found[name] = session.scalar(select(func.count()).select_from(counted)) or 0
        for name, column in STATES.items():
            counts = session.execute(select(column, func.count()).group_by(column)).all()
            found[name] = {str(state): number for state, number in sorted(counts)}
    return found


def failures(database: Database, limit: int = 1000) -> dict[str, int]:
    """Of the newest failed cases and deliveries the kind of error, up to its first colon, and how often."""
    kinds: dict[str, int] = {}
    for error in _errors(database, limit):
        kind = error.partition(":")[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def identities(database: Database) -> Iterator[str]:
    """Every text of the ledger that says who somebody is, or was written by hand about them."""
    columns = (
        *(PatientRow.patient_id, PatientRow.folded_id, SeriesRow.patient_name, SeriesRow.patient_birth_date),
        *(StudyRow.accession_number, StudyRow.description, SeriesRow.description),
    )
    with database.reading() as session:
        for column in columns:
            yield from session.scalars(select(column).distinct())


def server_time(database: Database) -> datetime | None:
    """What time the database server has; None where the database is a file of this machine."""
    if database.is_sqlite:
        return None
    with database.reading() as session:
        said = session.scalar(text("SELECT clock_timestamp()"))
    return said.astimezone(UTC) if isinstance(said, datetime) else None


def _errors(database: Database, limit: int) -> Iterator[str]:
    failed = select(CaseRow.error).where(CaseRow.state == CaseState.FAILED).order_by(CaseRow.updated_at.desc())
    unsent = select(DeliveryRow.last_error).where(DeliveryRow.last_error != "").order_by(DeliveryRow.id.desc())
    with database.reading() as session:
        yield from session.scalars(failed.limit(limit))
        yield from session.scalars(unsent.limit(limit))
