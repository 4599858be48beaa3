"""Cases a page at a time, as a list shows them: whole plans and results stay where they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select

from .identity_changes import folded
from .models import CaseRow, CaseSeriesRow, PatientRow, ResultRow, SeriesRow
from .records import CaseState
from .session import Database

MOST_MOVING = 3
"""How many moving series of a plan a list tells apart; more are rare, and the case itself shows them."""

LONGEST_CASE_ID = 64


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A case as a list shows it. `errors_mm` are the expected errors of its pairs; None where none could be told."""

    case_id: str
    state: CaseState
    rule: str
    fixed: str
    moving: tuple[str, ...]
    verdict: str
    errors_mm: tuple[float | None, ...]
    step: str
    error: str
    attempts: int
    created_at: datetime
    updated_at: datetime
    patient_name: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases: of these states (all when empty); whose name, patient ID or patient's name begins so."""

    states: tuple[CaseState, ...] = ()
    text: str = ""
    oldest_first: bool = False


class CaseListing:
    """Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, wanted: CaseFilter, offset: int, limit: int) -> tuple[tuple[CaseLine, ...], int]:
        """`limit` cases from `offset` on, and how many there are altogether."""
        order = CaseRow.created_at.asc() if wanted.oldest_first else CaseRow.created_at.desc()
        with self._database.reading() as session:
            total = session.scalar(_among(select(func.count()).select_from(CaseRow), wanted)) or 0
            query = _among(_lines(), wanted).order_by(order, CaseRow.case_id).offset(offset).limit(limit)
            rows = [{**row} for row in session.execute(query).mappings()]
            patients = {
                uid: (name, patient_id)
                for uid, name, patient_id in session.execute(
                    select(SeriesRow.series_instance_uid, SeriesRow.patient_name, PatientRow.patient_id)
                    .join(PatientRow, PatientRow.id == SeriesRow.patient_row_id)
                    .where(SeriesRow.series_instance_uid.in_([row["fixed_uid"] for row in rows]))
                )
            }
        return tuple(_line(row, patients.get(row["fixed_uid"], ("", ""))) for row in rows), total

    def counts(self) -> Mapping[CaseState, int]:
        """How many cases are in each state."""
        with self._database.reading() as session:
            rows = session.execute(select(CaseRow.state, func.count()).group_by(CaseRow.state))
            found: dict[CaseState, int] = {state: count for state, count in rows}  # noqa: C416 - rows are no tuples to mypy
        return {state: found.get(state, 0) for state in CaseState}

    def stamp(self) -> tuple[datetime | None, int]:
        """Something that is another after any change of a case: when the last was, and how many there are."""
        with self._database.reading() as session:
            last, count = session.execute(select(func.max(CaseRow.updated_at), func.count())).one()
            return last, count


def _lines() -> Select[Any]:
    plan, result = CaseRow.plan, ResultRow.result
    return select(
        CaseRow.case_id,
        CaseRow.state,
        CaseRow.step,
        CaseRow.error,
        CaseRow.attempts,
        CaseRow.created_at,
        CaseRow.updated_at,
        plan["rule"].as_string().label("rule"),
        plan["fixed"]["modality"].as_string().label("fixed"),
        plan["fixed"]["series_instance_uid"].as_string().label("fixed_uid"),
        *(plan["moving"][n]["modality"].as_string().label(f"moving_{n}") for n in range(MOST_MOVING)),
        result["verdict"].as_string().label("verdict"),
        *(result["reports"][n]["expected_error_mm"].as_float().label(f"error_{n}") for n in range(MOST_MOVING)),
    ).outerjoin(ResultRow, ResultRow.case_id == CaseRow.case_id)


def _among(query: Select[Any], wanted: CaseFilter) -> Select[Any]:
    if wanted.states:
        query = query.where(CaseRow.state.in_(wanted.states))
    if text := wanted.text.strip():
        query = query.where(or_(_begins(CaseRow.case_id, text.lower()), CaseRow.case_id.in_(_of_patient(text))))
    return query


def _of_patient(text: str) -> Select[str]:
    return (
        select(CaseSeriesRow.case_id)
        .join(SeriesRow, SeriesRow.series_instance_uid == CaseSeriesRow.series_instance_uid)
        .join(PatientRow, PatientRow.id == SeriesRow.patient_row_id)
        .where(
            or_(
                _begins(PatientRow.folded_id, folded(text)),
                func.lower(SeriesRow.patient_name).startswith(text.lower(), autoescape=True),
            )
        )
    )


def _begins(column: Any, text: str) -> ColumnElement[bool]:
    """A range, which every index can answer."""
    if not text:
        return column.is_(None)  # type: ignore[no-any-return]
    return (column >= text) & (column < text + "\U0010ffff")  # type: ignore[no-any-return]


def _line(row: Mapping[str, Any], patient: Sequence[str]) -> CaseLine:
    moving = tuple(row[f"moving_{n}"] for n in range(MOST_MOVING) if row[f"moving_{n}"] is not None)
    return CaseLine(
        case_id=row["case_id"],
        state=row["state"],
        rule=row["rule"] or "",
        fixed=row["fixed"] or "",
        moving=moving,
        verdict=row["verdict"] or "",
        errors_mm=tuple(row[f"error_{n}"] for n in range(len(moving))) if row["verdict"] else (),
        step=row["step"] or "",
        error=row["error"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        patient_name=patient[0],
        patient_id=patient[1],
    )
