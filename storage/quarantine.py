"""Series that contradict their study, or themselves, about the patient: kept, and not matched until a person agrees.

Who is right cannot be told from here: a PACS that reconciles a patient while a study is on its way sends the rest of it
under the new identity. The newcomer is held, not what came before it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from .errors import IllegalTransitionError, UnknownRecordError
from .interventions import note_intervention
from .models import SeriesRow
from .records import InstanceRecord, SeriesState
from .series_facts import contradictions
from .session import Database

RELEASED = "series released"


class Quarantine:
    """The series that are held. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> tuple[tuple[str, tuple[str, ...], datetime], ...]:
        """Series Instance UID, reasons, and since when; the oldest first."""
        wanted = select(SeriesRow).where(SeriesRow.held_at.is_not(None)).order_by(SeriesRow.held_at, SeriesRow.id)
        with self._database.reading() as session:
            return tuple(
                (row.series_instance_uid, tuple(row.held_for or ()), row.held_at)
                for row in session.scalars(wanted)
                if row.held_at is not None
            )

    def release(self, series_instance_uid: str, actor: str, cause: str) -> None:
        """A person holds the series to be of the patient that it names: it is matched from now on.

        Raises `UnknownRecordError`, or `IllegalTransitionError` when it is not in quarantine.
        """
        wanted = select(SeriesRow).where(SeriesRow.series_instance_uid == series_instance_uid)
        with self._database.session() as session:
            series = session.scalars(wanted.with_for_update()).one_or_none()
            if series is None:
                raise UnknownRecordError(f"no series {series_instance_uid} was received")
            if series.held_at is None:
                raise IllegalTransitionError(f"the series {series_instance_uid} is not in quarantine")
            release(session, series, actor, cause)


def release(session: Session, series: SeriesRow, actor: str, cause: str) -> None:
    """Let the series be matched, and what it was held for be settled."""
    details = {"held_for": list(series.held_for or ())}
    note_intervention(session, RELEASED, series.series_instance_uid, cause, actor, details)
    series.accepted = sorted({*(series.accepted or ()), *series.contradictions})
    series.contradictions = []
    series.held_at, series.held_for = None, None
    if series.state is SeriesState.COMPLETE:
        series.matched_at = None


def hold(series: SeriesRow, reasons: Sequence[str]) -> None:
    """Put the series into quarantine, where there are reasons."""
    if reasons:
        series.held_for = sorted({*(series.held_for or ()), *reasons})
        series.held_at = series.held_at or datetime.now(UTC)


def contradictions_of_study(session: Session, series: SeriesRow, instance: InstanceRecord) -> list[str]:
    """In what the first instance of a series contradicts the series that its study had before it."""
    wanted = (
        select(SeriesRow)
        .options(joinedload(SeriesRow.study, innerjoin=True), joinedload(SeriesRow.patient, innerjoin=True))
        .where(
            SeriesRow.study_row_id == series.study_row_id,
            SeriesRow.id != series.id,
            SeriesRow.held_at.is_(None),
            SeriesRow.own_output.is_(False),
        )
        .order_by(SeriesRow.id)
        .limit(1)
    )
    first = session.scalars(wanted).first()
    if first is None or instance.series.own_output:
        return []
    return [f"its study says another {factor}" for factor in _told(contradictions(first, instance))]


def _told(factors: Iterable[str]) -> list[str]:
    return [factor for factor in factors if factor != "study"]
