"""What others said is to come or is there: procedure steps (MPPS) and instance availability notifications (IAN).

Kept as evidence of when a series is whole. Of a step only what it says about series is kept, nothing about the patient.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from .errors import IllegalTransitionError, UnknownRecordError
from .insertion import insert_new
from .models import AnnouncedSeriesRow, ProcedureStepRow, SeriesRow
from .records import AnnouncedSeries, Announcements, SeriesState, StepState
from .session import Database

AVAILABLE = "available"
"""The state of what an availability notification lists."""


class AnnouncementLog:
    """Steps and notifications. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin_step(self, uid: str, study_instance_uid: str, modality: str, source_ae_title: str, now: datetime) -> bool:
        """A step is in progress; False when there is one of that name already."""
        with self._database.session() as session:
            return insert_new(
                session,
                ProcedureStepRow,
                sop_instance_uid=uid,
                state=StepState.IN_PROGRESS,
                study_instance_uid=study_instance_uid,
                modality=modality,
                source_ae_title=source_ae_title,
                updated_at=now,
            )

    def change_step(
        self, uid: str, state: StepState | None, series: Mapping[str, Sequence[str]] | None, now: datetime
    ) -> None:
        """The step has another state, or lists other series (SOP Instance UIDs by Series UID); None: as it was.

        Raises `UnknownRecordError`, or `IllegalTransitionError` for one that has ended.
        """
        with self._database.session() as session:
            wanted = select(ProcedureStepRow).where(ProcedureStepRow.sop_instance_uid == uid)
            step = session.scalars(wanted.with_for_update()).one_or_none()
            if step is None:
                raise UnknownRecordError(f"no procedure step {uid} was begun")
            if step.state is not StepState.IN_PROGRESS:
                raise IllegalTransitionError(f"the procedure step {uid} is {step.state} and can no longer be changed")
            step.state, step.updated_at = state or step.state, now
            if series is not None:
                session.execute(delete(AnnouncedSeriesRow).where(AnnouncedSeriesRow.notice_uid == uid))
                _list(session, "MPPS", uid, step.study_instance_uid, series, step.source_ae_title, now)

    def lists_series(self, uid: str) -> bool:
        """Whether the step has listed series already. Raises `UnknownRecordError` when there is no such step."""
        step = select(ProcedureStepRow.id).where(ProcedureStepRow.sop_instance_uid == uid)
        with self._database.reading() as session:
            if session.scalar(step) is None:
                raise UnknownRecordError(f"no procedure step {uid} was begun")
            return bool(session.scalar(select(exists().where(AnnouncedSeriesRow.notice_uid == uid))))

    def available(
        self,
        uid: str,
        study_instance_uid: str,
        series: Mapping[str, Sequence[str]],
        source_ae_title: str,
        now: datetime,
    ) -> None:
        """Those instances are available at their archive. Said twice it is the same."""
        with self._database.session() as session:
            _list(session, "IAN", uid, study_instance_uid, series, source_ae_title, now)

    def of_series(self, series_instance_uid: str, study_instance_uid: str, modality: str) -> Announcements:
        """What was said about the series, and how many steps that may still add to it are in progress."""
        with self._database.reading() as session:
            rows = session.execute(
                select(AnnouncedSeriesRow, ProcedureStepRow.state)
                .outerjoin(ProcedureStepRow, ProcedureStepRow.sop_instance_uid == AnnouncedSeriesRow.notice_uid)
                .where(AnnouncedSeriesRow.series_instance_uid == series_instance_uid)
                .order_by(AnnouncedSeriesRow.id)
            ).all()
            in_progress = session.scalar(
                select(func.count())
                .select_from(ProcedureStepRow)
                .where(
                    ProcedureStepRow.study_instance_uid == study_instance_uid,
                    ProcedureStepRow.state == StepState.IN_PROGRESS,
                    ProcedureStepRow.modality.in_((modality, "")),
                )
            )
        return Announcements(
            tuple(
                AnnouncedSeries(
                    row.kind, state.value if state else AVAILABLE, frozenset(row.sop_instance_uids), row.said_at
                )
                for row, state in rows
            ),
            in_progress or 0,
        )

    def satisfied(self) -> tuple[tuple[str, int], ...]:
        """Series that more is expected for only by their quiet time: as many are here as were said to be.

        Each with the number of the newest thing said of it.
        """
        in_progress = exists().where(
            ProcedureStepRow.sop_instance_uid == AnnouncedSeriesRow.notice_uid,
            ProcedureStepRow.state == StepState.IN_PROGRESS,
        )
        wanted = (
            select(SeriesRow.series_instance_uid, func.max(AnnouncedSeriesRow.id))
            .join(AnnouncedSeriesRow, AnnouncedSeriesRow.series_instance_uid == SeriesRow.series_instance_uid)
            .where(
                SeriesRow.state == SeriesState.RECEIVING,
                AnnouncedSeriesRow.instance_count > 0,
                SeriesRow.instance_count >= AnnouncedSeriesRow.instance_count,
                ~in_progress,
            )
            .group_by(SeriesRow.series_instance_uid)
        )
        with self._database.reading() as session:
            return tuple((str(uid), int(newest)) for uid, newest in session.execute(wanted))


def _list(
    session: Session,
    kind: str,
    uid: str,
    study_instance_uid: str,
    series: Mapping[str, Sequence[str]],
    source_ae_title: str,
    now: datetime,
) -> None:
    for series_instance_uid, listed in series.items():
        instances = sorted(set(listed))
        insert_new(
            session,
            AnnouncedSeriesRow,
            kind=kind,
            notice_uid=uid,
            study_instance_uid=study_instance_uid,
            series_instance_uid=series_instance_uid,
            sop_instance_uids=instances,
            instance_count=len(instances),
            source_ae_title=source_ae_title,
            said_at=now,
        )
