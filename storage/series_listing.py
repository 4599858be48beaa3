"""What was received, a page at a time, as a list shows it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select

from .identity_changes import folded
from .models import InstanceRow, PatientRow, SeriesRow, SetAsideRow, StudyRow
from .records import SeriesState
from .session import Database


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """A series as a list shows it; `set_aside` counts other bytes that came under the names of its instances."""

    series_instance_uid: str
    modality: str
    description: str = field(repr=False)
    state: SeriesState
    instance_count: int
    source_ae_title: str
    own_output: bool
    evidence: Sequence[str]
    contradictions: Sequence[str]
    first_received_at: datetime
    last_received_at: datetime
    due_at: datetime | None
    study_date: str
    patient_id: str = field(repr=False)
    patient_name: str = field(repr=False)
    set_aside: int


class SeriesListing:
    """Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, text: str, state: SeriesState | None, *, with_set_aside: bool, offset: int, limit: int
    ) -> tuple[tuple[SeriesLine, ...], int]:
        """`limit` series from `offset` on, the latest first, and how many there are altogether.

        `text` is the beginning of a patient's ID or name, or a series' or study's UID.
        """
        aside = _set_aside()
        columns = [
            SeriesRow.series_instance_uid,
            SeriesRow.modality,
            SeriesRow.description,
            SeriesRow.state,
            SeriesRow.instance_count,
            SeriesRow.source_ae_title,
            SeriesRow.own_output,
            SeriesRow.evidence,
            SeriesRow.contradictions,
            SeriesRow.first_received_at,
            SeriesRow.last_received_at,
            SeriesRow.due_at,
            StudyRow.study_date,
            PatientRow.patient_id,
            SeriesRow.patient_name,
            aside.scalar_subquery().label("set_aside"),
        ]

        def among(query: Select[Any]) -> Select[Any]:
            query = query.select_from(SeriesRow)
            query = query.join(StudyRow, StudyRow.id == SeriesRow.study_row_id)
            query = query.join(PatientRow, PatientRow.id == SeriesRow.patient_row_id)
            if state is not None:
                query = query.where(SeriesRow.state == state)
            if with_set_aside:
                query = query.where(SeriesRow.id.in_(select(InstanceRow.series_row_id).join(SetAsideRow)))
            return query.where(_begins(text.strip())) if text.strip() else query

        query = among(select(*columns)).order_by(SeriesRow.last_received_at.desc(), SeriesRow.id.desc())
        with self._database.reading() as session:
            total = session.scalar(among(select(func.count(SeriesRow.id)))) or 0
            rows = session.execute(query.offset(offset).limit(limit))
            return tuple(SeriesLine(**row) for row in rows.mappings()), total


def _set_aside() -> Select[int]:
    return (
        select(func.count(SetAsideRow.id))
        .join(InstanceRow, InstanceRow.id == SetAsideRow.instance_row_id)
        .where(InstanceRow.series_row_id == SeriesRow.id)
        .correlate(SeriesRow)
    )


def _begins(text: str) -> Any:
    return or_(
        PatientRow.folded_id.startswith(folded(text), autoescape=True),
        func.lower(SeriesRow.patient_name).startswith(text.lower(), autoescape=True),
        SeriesRow.series_instance_uid == text,
        StudyRow.study_instance_uid == text,
    )
