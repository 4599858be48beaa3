"""Partner studies that rules miss and a PACS is asked for: what is wanted, what was found, what is on its way.

One row for each wish: a rule, a modality, the study that needs it, the peer. Killed between any two steps, the next
start takes up from the row; a series is on its way for one wish only.
"""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from .errors import UnknownRecordError
from .insertion import insert_new
from .models import FetchedSeriesRow, FetchRow
from .records import Fetch, FetchSeries, FetchState, PartnerWanted, PatientIdentity
from .session import Database

OPEN = frozenset({FetchState.WANTED, FetchState.FETCHING})


class Fetches:
    """The wishes. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def want(self, wanted: PartnerWanted, peer: str, now: datetime) -> bool:
        """Note the wish, once for ever; whether it is new."""
        patient = wanted.patient
        with self._database.session() as session:
            return insert_new(
                session,
                FetchRow,
                wish=_name(wanted, peer),
                rule=wanted.rule,
                modality=wanted.modality,
                peer=peer,
                for_series_uid=wanted.series_instance_uid,
                patient_id=patient.patient_id,
                issuer=patient.issuer,
                patient_name=patient.name,
                patient_birth_date=patient.birth_date,
                patient_sex=patient.sex,
                earliest=wanted.earliest,
                latest=wanted.latest,
                state=FetchState.WANTED,
                reason="",
                attempts=0,
                next_attempt_at=now,
                created_at=now,
                updated_at=now,
            )

    def due(self, now: datetime, limit: int, skip: Collection[str] = ()) -> tuple[Fetch, ...]:
        """What is to be done next: what failed least, then what has waited longest. Peers in `skip` are left out."""
        wanted = (
            select(FetchRow)
            .where(FetchRow.state.in_(OPEN), FetchRow.next_attempt_at <= now, FetchRow.peer.not_in(skip))
            .order_by(FetchRow.attempts, FetchRow.next_attempt_at, FetchRow.id)
            .limit(limit)
        )
        with self._database.reading() as session:
            return tuple(_fetch(session, row) for row in session.scalars(wanted).all())

    def found(
        self, fetch_id: int, series: Sequence[FetchSeries], reason: str, now: datetime, again_at: datetime
    ) -> tuple[FetchSeries, ...]:
        """These series are to be brought; what another wish brings at this moment is left to it.

        Returns what remains. Where nothing does, the wish is looked at again at `again_at`.
        """
        with self._database.session() as session:
            row = _locked(session, fetch_id)
            for one in series:
                _take(session, fetch_id, one, now)
            mine = _series_of(session, fetch_id)
            if mine:
                row.state = FetchState.FETCHING
                _note(row, reason, now, now)
            else:
                _note(row, f"{reason}; on its way for another wish", now, again_at)
            return mine

    def retry(self, fetch_id: int, reason: str, now: datetime, retry_at: datetime | None, last: FetchState) -> None:
        """It did not come: tried again at `retry_at`, or ended as `last` with None."""
        with self._database.session() as session:
            row = _locked(session, fetch_id)
            row.attempts += 1
            if retry_at is None:
                row.state = last
            _note(row, reason, now, retry_at)

    def wait(self, fetch_id: int, reason: str, now: datetime, until: datetime) -> None:
        """Nothing was tried: not before `until`."""
        with self._database.session() as session:
            _note(_locked(session, fetch_id), reason, now, until)

    def ended(self, fetch_id: int, state: FetchState, reason: str, now: datetime) -> None:
        """Nothing more is done about it."""
        with self._database.session() as session:
            row = _locked(session, fetch_id)
            row.state = state
            _note(row, reason, now, None)

    def studies_since(self, peer: str, since: datetime) -> int:
        """How many studies the peer was asked to send since then."""
        counted = (
            select(func.count(func.distinct(FetchedSeriesRow.study_instance_uid)))
            .join(FetchRow, FetchRow.id == FetchedSeriesRow.fetch_id)
            .where(FetchRow.peer == peer, FetchedSeriesRow.asked_at >= since)
        )
        with self._database.reading() as session:
            return session.scalar(counted) or 0

    def on_its_way(self, series_instance_uids: Collection[str]) -> frozenset[str]:
        """Those of the series that some wish brings at this moment."""
        bringing = (
            select(FetchedSeriesRow.series_instance_uid)
            .join(FetchRow, FetchRow.id == FetchedSeriesRow.fetch_id)
            .where(FetchedSeriesRow.series_instance_uid.in_(series_instance_uids), FetchRow.state.in_(OPEN))
        )
        with self._database.reading() as session:
            return frozenset(session.scalars(bringing))

    def that_brought(self, series_instance_uid: str) -> Fetch | None:
        """The wish for which the series was brought, if it was."""
        wanted = (
            select(FetchRow)
            .join(FetchedSeriesRow, FetchedSeriesRow.fetch_id == FetchRow.id)
            .where(FetchedSeriesRow.series_instance_uid == series_instance_uid)
        )
        with self._database.reading() as session:
            row = session.scalars(wanted).first()
            return None if row is None else _fetch(session, row)

    def list(self, limit: int = 100) -> tuple[Fetch, ...]:
        """The newest first."""
        with self._database.reading() as session:
            rows = session.scalars(select(FetchRow).order_by(FetchRow.id.desc()).limit(limit)).all()
            return tuple(_fetch(session, row) for row in rows)


def _name(wanted: PartnerWanted, peer: str) -> str:
    """The same wish has the same name, however often a series of the study makes it."""
    parts = (peer, wanted.rule, wanted.modality, wanted.study_instance_uid)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _locked(session: Session, fetch_id: int) -> FetchRow:
    row = session.get(FetchRow, fetch_id, with_for_update=True)
    if row is None:
        raise UnknownRecordError(f"no fetch {fetch_id}")
    return row


def _note(row: FetchRow, reason: str, now: datetime, next_attempt_at: datetime | None) -> None:
    row.reason, row.updated_at, row.next_attempt_at = reason, now, next_attempt_at


def _take(session: Session, fetch_id: int, series: FetchSeries, now: datetime) -> None:
    """Bring the series for this wish, unless another brings it."""
    values = {
        "study_instance_uid": series.study_instance_uid,
        "fetch_id": fetch_id,
        "instances": series.instances,
        "asked_at": now,
    }
    if insert_new(session, FetchedSeriesRow, series_instance_uid=series.series_instance_uid, **values):
        return
    row = session.get_one(FetchedSeriesRow, series.series_instance_uid, with_for_update=True)
    if session.get_one(FetchRow, row.fetch_id).state not in OPEN:
        for name, value in values.items():
            setattr(row, name, value)


def _series_of(session: Session, fetch_id: int) -> tuple[FetchSeries, ...]:
    rows = session.scalars(
        select(FetchedSeriesRow)
        .where(FetchedSeriesRow.fetch_id == fetch_id)
        .order_by(FetchedSeriesRow.series_instance_uid)
    )
    return tuple(FetchSeries(row.study_instance_uid, row.series_instance_uid, row.instances) for row in rows)


def _fetch(session: Session, row: FetchRow) -> Fetch:
    return Fetch(
        fetch_id=row.id,
        rule=row.rule,
        modality=row.modality,
        peer=row.peer,
        for_series_uid=row.for_series_uid,
        patient=PatientIdentity(row.patient_id, row.issuer, row.patient_name, row.patient_birth_date, row.patient_sex),
        earliest=row.earliest,
        latest=row.latest,
        state=row.state,
        reason=row.reason,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        series=_series_of(session, row.id),
    )
