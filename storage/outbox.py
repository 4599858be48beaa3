"""What is on its way: one row for each derived series and destination, which outlives any crash of the sender.

A delivery is PENDING, then SENT where the peer is to confirm by storage commitment, then COMMITTED; or DONE at once. It
is FAILED when no further try is made without a person. With the last one a DELIVERING case becomes DELIVERED, in the
same transaction. What was answered, given up or withdrawn stays as it is, whatever the sender says of it afterwards.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from .errors import UnknownRecordError
from .insertion import insert_new
from .json_records import derived_series_from_json, derived_series_to_json
from .models import CaseEventRow, CaseRow, DeliveryRow, DerivedObjectRow
from .records import (
    CaseState,
    Delivery,
    DeliveryState,
    DerivedSeries,
    FailingDestination,
    NoteDue,
    Rejection,
    StoredObject,
)
from .session import Database
from .transitions import GIVEN_UP, locked_case, move

ARRIVED = frozenset({DeliveryState.DONE, DeliveryState.COMMITTED})
OPEN = frozenset({DeliveryState.PENDING, DeliveryState.SENT})
IS_WANTED = or_(CaseRow.state.not_in(GIVEN_UP), DeliveryRow.is_note)
"""Of a case that was given up only the notes that say so are sent."""


class Outbox:
    """The deliveries. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, now: datetime, limit: int = 10, skip: Collection[str] = ()) -> tuple[Delivery, ...]:
        """What to try next: what failed least, then what has waited longest, then in the order of entry.

        So whatever keeps failing never stands before what may go through. Destinations in `skip` are left out.
        """
        wanted = (
            select(DeliveryRow)
            .where(DeliveryRow.state == DeliveryState.PENDING, DeliveryRow.next_attempt_at <= now)
            .where(DeliveryRow.destination.not_in(skip))
            .order_by(DeliveryRow.attempts, DeliveryRow.next_attempt_at, DeliveryRow.id)
            .limit(limit)
        )
        with self._database.reading() as session:
            return tuple(_delivery(row) for row in session.scalars(wanted))

    def stands(self, delivery_id: int, state: DeliveryState) -> bool:
        """Whether it is in that state still, and its case has not been given up (which notes are about)."""
        wanted = (
            select(DeliveryRow.id)
            .join(CaseRow, CaseRow.case_id == DeliveryRow.case_id)
            .where(DeliveryRow.id == delivery_id, DeliveryRow.state == state, IS_WANTED)
        )
        with self._database.reading() as session:
            return session.scalar(wanted) is not None

    def sent(self, delivery_id: int, commitment_uid: str, deadline: datetime | None, error: str = "") -> bool:
        """The peer took every instance. With a commitment requested it is SENT until `deadline`, without ("") DONE.

        `error` says why no commitment can be requested now. False when the delivery had ended by then.
        """
        with self._database.session() as session:
            case, row = _locked(session, delivery_id)
            if row.state not in OPEN:
                if case.state in GIVEN_UP and not row.is_note:
                    row.last_error = f"the case is {case.state}; the peer had taken every instance by then"
                return False
            row.state = DeliveryState.SENT if commitment_uid else DeliveryState.DONE
            row.attempts += 1
            row.next_attempt_at = None
            row.last_error = error
            row.refused = {}
            row.commitment_uid = commitment_uid
            row.commitment_deadline = deadline if commitment_uid else None
            _settle(session, case)
            return True

    def not_asked(self, delivery_id: int, commitment_uid: str, error: str) -> None:
        """Why the request for that commitment failed. It counts as the same attempt, and its deadline stays."""
        with self._database.session() as session:
            _, row = _locked(session, delivery_id)
            if row.state is DeliveryState.SENT and row.commitment_uid == commitment_uid:
                row.last_error = error

    def refused(self, delivery_id: int, refused: Mapping[str, str], error: str, retry_at: datetime | None) -> None:
        """The peer refused instances (SOP Instance UID → status); tried again at `retry_at`, or left for a person."""
        with self._database.session() as session:
            case, row = _locked(session, delivery_id)
            if row.state in OPEN:
                row.refused = dict(refused)
                _try_again(case, row, error, retry_at)

    def retry(self, delivery_id: int, error: str, retry_at: datetime | None) -> None:
        """It did not arrive, or was not confirmed in time; tried again at `retry_at`, or FAILED with None."""
        with self._database.session() as session:
            case, row = _locked(session, delivery_id)
            if row.state in OPEN:
                _try_again(case, row, error, retry_at)

    def give_up(self, delivery_id: int, error: str) -> None:
        """FAILED, left for a person, without another attempt."""
        with self._database.session() as session:
            case, row = _locked(session, delivery_id)
            if row.state in OPEN:
                _wait(case, row, error, None)

    def asked(self, commitment_uid: str) -> Delivery | None:
        """The delivery whose latest request has that Transaction UID."""
        wanted = select(DeliveryRow).where(DeliveryRow.commitment_uid == commitment_uid)
        with self._database.reading() as session:
            row = session.scalars(wanted).first() if commitment_uid else None
            return None if row is None else _delivery(row)

    def committed(
        self, commitment_uid: str, failed: Mapping[str, str], retry_at: datetime | None = None
    ) -> Delivery | None:
        """The peer's answer to the request of that Transaction UID; None when no delivery asked (any more).

        With nothing in `failed` (SOP Instance UID → reason) the delivery is COMMITTED, else PENDING again from
        `retry_at`, or left for a person (None).
        """
        asked = select(DeliveryRow.id).where(DeliveryRow.commitment_uid == commitment_uid)
        with self._database.session() as session:
            delivery_id = session.scalars(asked).first() if commitment_uid else None
            if delivery_id is None:
                return None
            case, row = _locked(session, delivery_id)
            if row.commitment_uid != commitment_uid:
                return None
            if row.state not in OPEN:
                return _delivery(row)
            if failed:
                row.refused = dict(failed)
                _wait(case, row, f"the peer does not hold {len(failed)} instance(s)", retry_at)
            else:
                row.state = DeliveryState.COMMITTED
                row.next_attempt_at = None
                row.last_error = ""
                row.refused = {}
                row.commitment_deadline = None
                _settle(session, case)
            return _delivery(row)

    def overdue(self, now: datetime, limit: int = 10, skip: Collection[str] = ()) -> tuple[Delivery, ...]:
        """What was sent and not confirmed by its deadline, unless its case has been given up.

        What was asked for least comes first; destinations in `skip` are left out.
        """
        wanted = (
            select(DeliveryRow)
            .join(CaseRow, CaseRow.case_id == DeliveryRow.case_id)
            .where(DeliveryRow.state == DeliveryState.SENT, DeliveryRow.commitment_deadline <= now)
            .where(IS_WANTED, DeliveryRow.destination.not_in(skip))
            .order_by(DeliveryRow.attempts, DeliveryRow.commitment_deadline, DeliveryRow.id)
            .limit(limit)
        )
        with self._database.reading() as session:
            return tuple(_delivery(row) for row in session.scalars(wanted))

    def failing(self, attempts: int) -> tuple[FailingDestination, ...]:
        """Destinations that have refused or not answered a series `attempts` times and still wait for it."""
        wanted = (
            select(
                DeliveryRow.destination,
                func.count(),
                func.min(CaseRow.updated_at),
                func.max(DeliveryRow.last_error),
            )
            .join(CaseRow, CaseRow.case_id == DeliveryRow.case_id)
            .where(
                DeliveryRow.attempts >= attempts,
                DeliveryRow.last_error != "",
                DeliveryRow.state.in_((DeliveryState.PENDING, DeliveryState.FAILED)),
            )
            .group_by(DeliveryRow.destination)
            .order_by(DeliveryRow.destination)
        )
        with self._database.reading() as session:
            return tuple(FailingDestination(*row) for row in session.execute(wanted))

    def made(self, series_instance_uid: str) -> bool:
        """Whether that series was made here and sent, or is on its way."""
        wanted = select(DeliveryRow.id).where(DeliveryRow.series_instance_uid == series_instance_uid).limit(1)
        with self._database.reading() as session:
            return session.scalar(wanted) is not None

    def of_case(self, case_id: str) -> tuple[Delivery, ...]:
        """Every delivery of the case."""
        wanted = select(DeliveryRow).where(DeliveryRow.case_id == case_id).order_by(DeliveryRow.id)
        with self._database.reading() as session:
            return tuple(_delivery(row) for row in session.scalars(wanted))

    def notes_due(self, limit: int = 10) -> tuple[NoteDue, ...]:
        """Cases whose results were taken back and whose peers have not been told, the longest waiting first."""
        wanted = (
            select(CaseRow)
            .where(CaseRow.rejection.is_not(None), CaseRow.noted_at.is_(None))
            .order_by(CaseRow.updated_at, CaseRow.case_id)
            .limit(limit)
        )
        with self._database.reading() as session:
            return tuple(_note_due(session, case) for case in session.scalars(wanted).all())

    def announce(self, case_id: str, note: DerivedSeries | None, destinations: Sequence[str]) -> None:
        """Put the note on its way to those destinations; with None there is nobody to tell."""
        with self._database.session() as session:
            case = locked_case(session, case_id)
            if case.noted_at is not None:
                return
            case.noted_at = datetime.now(UTC)
            if note is not None:
                enqueue(session, case, [(destination, note) for destination in destinations], is_note=True)


def _note_due(session: Session, case: CaseRow) -> NoteDue:
    ended = select(CaseEventRow).where(CaseEventRow.case_id == case.case_id, CaseEventRow.to_state == case.state)
    event = session.scalars(ended.order_by(CaseEventRow.id.desc()).limit(1)).one()
    sent = [row for row in _rows_of(session, case.case_id) if not row.is_note]
    series = {row.series_instance_uid: derived_series_from_json(row.series) for row in sent}
    return NoteDue(
        case_id=case.case_id,
        state=case.state,
        rejection=case.rejection or Rejection.QUALITY,
        cause=event.cause,
        at=event.at,
        series=tuple(series.values()),
        destinations=tuple(dict.fromkeys(row.destination for row in sent)),
    )


def enqueue(
    session: Session, case: CaseRow, deliveries: Sequence[tuple[str, DerivedSeries]], *, is_note: bool = False
) -> None:
    """Put the series on their way; one that went before goes again, with the bytes of the first time."""
    now = datetime.now(UTC)
    for destination, series in deliveries:
        is_new = insert_new(
            session,
            DeliveryRow,
            case_id=case.case_id,
            destination=destination,
            series_instance_uid=series.series_instance_uid,
            series=derived_series_to_json(series),
            state=DeliveryState.PENDING,
            attempts=0,
            next_attempt_at=now,
            last_error="",
            refused={},
            commitment_uid="",
            commitment_deadline=None,
            is_note=is_note,
        )
        if is_new:
            keep_objects(session, case.case_id, objects_of([series]))
    addressed = {(destination, series.series_instance_uid) for destination, series in deliveries}
    for row in _rows_of(session, case.case_id):
        if (row.destination, row.series_instance_uid) in addressed and row.state is not DeliveryState.PENDING:
            _revive(row, now)


def objects_of(derived: Sequence[DerivedSeries]) -> list[StoredObject]:
    """The objects that the series consist of."""
    return [instance.stored for series in derived for instance in series.instances]


def keep_objects(session: Session, case_id: str, objects: Sequence[StoredObject]) -> None:
    """Note which objects the case needs, so that no sweep takes them."""
    for digest in sorted({one.digest for one in objects}):
        insert_new(session, DerivedObjectRow, case_id=case_id, digest=digest)


def revive_failed(session: Session, case: CaseRow) -> int:
    """Try the failed deliveries of the case again, of one that was given up only notes; how many there were."""
    failed = [
        row
        for row in _rows_of(session, case.case_id)
        if row.state is DeliveryState.FAILED and (row.is_note or case.state not in GIVEN_UP)
    ]
    for row in failed:
        _revive(row, datetime.now(UTC))
    return len(failed)


def stop(session: Session, case_id: str, reason: str) -> bool:
    """Send nothing more of the case. What the peer has taken stays as it is. Whether there was anything to send."""
    rows = _rows_of(session, case_id)
    for row in rows:
        if row.state is DeliveryState.PENDING:
            row.state = DeliveryState.FAILED
            row.next_attempt_at = None
            row.last_error = reason
    return bool(rows)


def _locked(session: Session, delivery_id: int) -> tuple[CaseRow, DeliveryRow]:
    case_id = session.scalars(select(DeliveryRow.case_id).where(DeliveryRow.id == delivery_id)).first()
    if case_id is None:
        raise UnknownRecordError(f"no delivery {delivery_id}")
    case = locked_case(session, case_id)
    return case, session.scalars(select(DeliveryRow).where(DeliveryRow.id == delivery_id)).one()


def _rows_of(session: Session, case_id: str) -> Sequence[DeliveryRow]:
    return session.scalars(select(DeliveryRow).where(DeliveryRow.case_id == case_id).order_by(DeliveryRow.id)).all()


def _revive(row: DeliveryRow, now: datetime) -> None:
    row.state = DeliveryState.PENDING
    row.attempts = 0
    row.next_attempt_at = now
    row.last_error = ""
    row.refused = {}
    row.commitment_uid = ""
    row.commitment_deadline = None


def _try_again(case: CaseRow, row: DeliveryRow, error: str, retry_at: datetime | None) -> None:
    row.attempts += 1
    _wait(case, row, error, retry_at)


def _wait(case: CaseRow, row: DeliveryRow, error: str, retry_at: datetime | None) -> None:
    given_up = retry_at is None or (case.state in GIVEN_UP and not row.is_note)
    row.state = DeliveryState.FAILED if given_up else DeliveryState.PENDING
    row.next_attempt_at = None if given_up else retry_at
    row.last_error = error
    row.commitment_deadline = None


def _settle(session: Session, case: CaseRow) -> None:
    if case.state is CaseState.DELIVERING and all(row.state in ARRIVED for row in _rows_of(session, case.case_id)):
        move(session, case, CaseState.DELIVERED, "every series arrived", "outbox")


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        delivery_id=row.id,
        case_id=row.case_id,
        destination=row.destination,
        series=derived_series_from_json(row.series),
        state=row.state,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        last_error=row.last_error,
        refused=row.refused,
        commitment_uid=row.commitment_uid,
        is_note=row.is_note,
    )
