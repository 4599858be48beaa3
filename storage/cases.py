"""The cases: plans being carried out, who carries them out, and what became of each.

A worker claims a case for a lease and renews it; a lapsed lease is claimed by somebody else under a new token, and the
old holder's answers are refused. A case has one result for ever. Ways between states are those of `TRANSITIONS`.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, and_, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased, joinedload

from .errors import IllegalTransitionError, StaleClaimError, UnknownRecordError
from .insertion import insert_new
from .json_records import plan_from_json, plan_to_json, result_from_json, result_to_json
from .models import (
    CaseEventRow,
    CaseRow,
    CaseSeriesRow,
    DeliveryRow,
    DerivedInstanceRow,
    DerivedObjectRow,
    DerivedSeriesRow,
    ResultRow,
)
from .outbox import enqueue, keep_objects, objects_of, revive_failed, stop
from .records import CaseEvent, CaseRecord, CaseResult, CaseState, Claim, DerivedSeries, FusionPlan, Rejection
from .session import Database
from .switches import PAUSE, is_on
from .transitions import GIVEN_UP, TRANSITIONS, locked_case, move, note

__all__ = ["TRANSITIONS", "Cases"]

SHORTEST_PREFIX = 6
"""So few characters of a case's name still tell cases apart in practice, and are quick to type."""

OUTCOMES = frozenset({CaseState.ACCEPTED, CaseState.REVIEW, CaseState.REJECTED})
SENDING = frozenset({CaseState.DELIVERING, CaseState.REJECTED})


class Cases:
    """The ledger of cases. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(
        self, plan: FusionPlan, patient_key: str, state: CaseState, cause: str, actor: str
    ) -> tuple[CaseRecord, bool]:
        """The case of this plan, and whether it is new. A plan that was seen before keeps the case it has."""
        if state not in TRANSITIONS[None]:
            raise IllegalTransitionError(f"a case cannot begin as {state}")
        now = datetime.now(UTC)
        with self._database.session() as session:
            is_new = insert_new(
                session,
                CaseRow,
                case_id=plan.key,
                plan=plan_to_json(plan),
                state=state,
                patient_key=patient_key,
                attempts=0,
                error="",
                not_before=None,
                worker="",
                lease_token="",
                lease_until=None,
                created_at=now,
                updated_at=now,
                step=None,
            )
            if is_new:
                session.add_all(
                    CaseSeriesRow(case_id=plan.key, series_instance_uid=uid)
                    for uid in sorted(set(plan.series_instance_uids))
                )
                session.add(
                    CaseEventRow(case_id=plan.key, at=now, from_state=None, to_state=state, cause=cause, actor=actor)
                )
            return _record(session.scalars(_cases().where(CaseRow.case_id == plan.key)).one()), is_new

    def claim(self, worker: str, lease_s: float, now: datetime) -> Claim | None:
        """The oldest case that may run, for `lease_s` from `now`; None when there is none.

        That is a queued one whose time has come, or a running one whose lease has lapsed, of a patient of whom nothing
        else is running. While the node is paused there is none.
        """
        with self._database.session() as session:
            if is_on(session, PAUSE):
                return None
            while (row := session.scalars(_claimable(now)).first()) is not None:
                try:
                    with session.begin_nested():
                        _take(session, row, worker, now + timedelta(seconds=lease_s))
                except IntegrityError:
                    # PostgreSQL only: a case of the same patient was claimed after we looked. Look again.
                    continue
                claimed = session.scalars(_cases().where(CaseRow.case_id == row.case_id)).one()
                return Claim(_record(claimed), row.lease_token, now + timedelta(seconds=lease_s))
        return None

    def renew(self, case_id: str, token: str, lease_s: float, now: datetime) -> bool:
        """Whether the token still holds; if so, for `lease_s` more."""
        with self._database.session() as session:
            renewed = session.scalars(
                update(CaseRow)
                .where(CaseRow.case_id == case_id, CaseRow.state == CaseState.RUNNING, CaseRow.lease_token == token)
                .values(lease_until=now + timedelta(seconds=lease_s))
                .returning(CaseRow.case_id)
            ).all()
        return bool(renewed)

    def at_step(self, claim: Claim, step: str) -> None:
        """Say what the case is at, for who watches. Says nothing under a claim that no longer holds."""
        with self._database.session() as session:
            session.execute(
                update(CaseRow)
                .where(CaseRow.case_id == claim.case.case_id, CaseRow.lease_token == claim.token)
                .values(step=step, updated_at=datetime.now(UTC))
            )

    def record_result(
        self,
        claim: Claim,
        result: CaseResult,
        to: CaseState,
        cause: str,
        deliveries: Sequence[tuple[str, DerivedSeries]],
    ) -> CaseRecord:
        """Keep the result and move the case to ACCEPTED, REVIEW or REJECTED, with its deliveries on their way.

        The first result of a case stays; of later ones nothing is kept, and what is sent is what the first one holds.
        ACCEPTED goes on to DELIVERING, or to DELIVERED where there is nothing to deliver; REVIEW goes on to DELIVERING
        when deliveries are given; REJECTED stays, also with deliveries. Raises `StaleClaimError`.
        """
        if to not in OUTCOMES:
            raise IllegalTransitionError(f"a result makes a case accepted, review or rejected, not {to}")
        with self._database.session() as session:
            row = _held(session, claim)
            worker = row.worker
            addressed = _as_kept(_keep_result(session, row, result), deliveries)
            row.error = ""
            move(session, row, to, cause, worker)
            if to is CaseState.ACCEPTED or (to is CaseState.REVIEW and addressed):
                _deliver(session, row, addressed, cause, worker)
            else:
                enqueue(session, row, addressed)
            return _fresh(session, row)

    def fail(self, claim: Claim, error: str, retry_at: datetime | None) -> CaseRecord:
        """Queue the case again for `retry_at`, or leave it FAILED for a person. Raises `StaleClaimError`."""
        with self._database.session() as session:
            row = _held(session, claim)
            row.error = error
            row.not_before = retry_at
            move(session, row, CaseState.FAILED if retry_at is None else CaseState.QUEUED, error, row.worker)
            return _fresh(session, row)

    def approve(
        self, case_id: str, deliveries: Sequence[tuple[str, DerivedSeries]], actor: str, cause: str
    ) -> CaseRecord:
        """A person holds a case in review to be good: it is delivered."""
        with self._database.session() as session:
            row = locked_case(session, _whole_id(session, case_id))
            if row.state is not CaseState.REVIEW:
                raise IllegalTransitionError(f"only a case in review can be approved, not one that is {row.state}")
            kept = result_from_json(row.result.result) if row.result else None
            _deliver(session, row, _as_kept(kept, deliveries), cause, actor)
            return _fresh(session, row)

    def reject(self, case_id: str, actor: str, cause: str) -> CaseRecord:
        """A person holds a case in review or quarantine to be wrong."""
        return self._end(case_id, CaseState.REJECTED, actor, cause)

    def withdraw(self, case_id: str, actor: str, cause: str, rejection: Rejection = Rejection.QUALITY) -> CaseRecord:
        """Give the case up; what was not sent yet never is, and a note of that kind takes back what was."""
        return self._end(case_id, CaseState.WITHDRAWN, actor, cause, rejection)

    def replace(
        self, case_id: str, cause: str, actor: str, by: str = "", rejection: Rejection = Rejection.QUALITY
    ) -> CaseRecord:
        """The case gives way to another of the same series, `by` where it is known; else as with `withdraw`."""
        return self._end(case_id, CaseState.REPLACED, actor, cause, rejection, by)

    def succeed(self, plan: FusionPlan) -> tuple[str, ...]:
        """Cases of these series that were withdrawn when their patient was corrected are replaced by that of `plan`."""
        withdrawn = [
            case.case_id
            for case in self.of_series(plan.fixed.series_instance_uid)
            if case.state is CaseState.WITHDRAWN
            and not case.replaced_by
            and (case.plan.rule, case.plan.series_instance_uids) == (plan.rule, plan.series_instance_uids)
            and case.case_id != plan.key
        ]
        with self._database.session() as session:
            linked = session.scalars(
                update(CaseRow)
                .where(
                    CaseRow.case_id.in_(withdrawn),
                    CaseRow.rejection == Rejection.WORKLIST,
                    CaseRow.replaced_by.is_(None),
                )
                .values(replaced_by=plan.key)
                .returning(CaseRow.case_id)
            )
            return tuple(linked)

    def predecessor(self, case_id: str) -> str:
        """The case whose delivered results those of `case_id` replace, through others that were never sent; or ""."""
        sent = exists().where(DeliveryRow.case_id == CaseRow.case_id)
        seen: set[str] = set()
        looked_at = {case_id}
        with self._database.reading() as session:
            while looked_at:
                seen |= looked_at
                before = (
                    select(CaseRow.case_id, sent)
                    .where(CaseRow.replaced_by.in_(looked_at))
                    .order_by(CaseRow.updated_at.desc())
                )
                found = session.execute(before).all()
                for name, was_sent in found:
                    if was_sent:
                        return str(name)
                looked_at = {str(name) for name, _ in found} - seen
        return ""

    def retry(self, case_id: str, actor: str, cause: str) -> CaseRecord:
        """A person wants it tried again: failed deliveries where there are some, else the case from the queue on."""
        with self._database.session() as session:
            row = locked_case(session, _whole_id(session, case_id))
            if row.state in SENDING | GIVEN_UP and revive_failed(session, row):
                note(session, row, row.state, cause, actor)
                return _fresh(session, row)
            _refuse_while_running(row)
            move(session, row, CaseState.QUEUED, cause, actor)
            row.attempts, row.error, row.not_before = 0, "", None
            return _fresh(session, row)

    def note(self, case_id: str, cause: str, actor: str) -> None:
        """Log what a person did with the case, which stays where it is."""
        with self._database.session() as session:
            row = locked_case(session, _whole_id(session, case_id))
            note(session, row, row.state, cause, actor)

    def get(self, case_id: str) -> CaseRecord:
        """The case of that name; its first characters, at least six, are enough. Raises `UnknownRecordError`."""
        with self._database.reading() as session:
            return _record(session.scalars(_cases().where(CaseRow.case_id == _whole_id(session, case_id))).one())

    def list(self, limit: int = 100, states: Sequence[CaseState] = ()) -> tuple[CaseRecord, ...]:
        """The newest cases first."""
        wanted = _cases().order_by(CaseRow.created_at.desc(), CaseRow.case_id).limit(limit)
        return self._records(wanted.where(CaseRow.state.in_(states)) if states else wanted)

    def count(self, state: CaseState) -> int:
        """How many cases are in `state`."""
        with self._database.reading() as session:
            return session.scalar(select(func.count()).select_from(CaseRow).where(CaseRow.state == state)) or 0

    def oldest(self, state: CaseState) -> datetime | None:
        """Since when the case that has been in `state` for longest is there."""
        with self._database.reading() as session:
            return session.scalar(select(func.min(CaseRow.updated_at)).where(CaseRow.state == state))

    def of_series(self, series_instance_uid: str) -> tuple[CaseRecord, ...]:
        """Every case that reads the series, the newest first."""
        wanted = (
            _cases()
            .join(CaseSeriesRow, CaseSeriesRow.case_id == CaseRow.case_id)
            .where(CaseSeriesRow.series_instance_uid == series_instance_uid)
        )
        return self._records(wanted.order_by(CaseRow.created_at.desc(), CaseRow.case_id))

    def events(self, case_id: str) -> tuple[CaseEvent, ...]:
        """What happened to the case, in order."""
        with self._database.reading() as session:
            whole_id = _whole_id(session, case_id)
            rows = session.scalars(
                select(CaseEventRow).where(CaseEventRow.case_id == whole_id).order_by(CaseEventRow.id)
            )
            return tuple(CaseEvent(row.at, row.from_state, row.to_state, row.cause, row.actor) for row in rows)

    def holds(self, digest: str) -> bool:
        """Whether a result or a delivery needs the object."""
        with self._database.reading() as session:
            return bool(session.scalar(select(exists().where(DerivedObjectRow.digest == digest))))

    def _end(
        self, case_id: str, to: CaseState, actor: str, cause: str, rejection: Rejection | None = None, by: str = ""
    ) -> CaseRecord:
        with self._database.session() as session:
            row = locked_case(session, _whole_id(session, case_id))
            if to is CaseState.REJECTED:
                _refuse_while_running(row)
            move(session, row, to, cause, actor)
            if stop(session, row.case_id, f"the case is {to}"):
                row.rejection = rejection
            row.replaced_by = by or None
            return _fresh(session, row)

    def _records(self, wanted: Select[CaseRow]) -> tuple[CaseRecord, ...]:
        with self._database.reading() as session:
            return tuple(_record(row) for row in session.scalars(wanted))


def _cases() -> Select[CaseRow]:
    return select(CaseRow).options(joinedload(CaseRow.result)).execution_options(populate_existing=True)


def _claimable(now: datetime) -> Select[CaseRow]:
    other = aliased(CaseRow)
    patient_is_busy = exists().where(
        other.patient_key == CaseRow.patient_key,
        other.state == CaseState.RUNNING,
        other.case_id != CaseRow.case_id,
    )
    its_time_has_come = or_(CaseRow.not_before.is_(None), CaseRow.not_before <= now)
    return (
        select(CaseRow)
        .where(
            or_(
                and_(CaseRow.state == CaseState.QUEUED, its_time_has_come),
                and_(CaseRow.state == CaseState.RUNNING, CaseRow.lease_until <= now),
            ),
            ~patient_is_busy,
        )
        .order_by(CaseRow.created_at, CaseRow.case_id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )


def _take(session: Session, row: CaseRow, worker: str, until: datetime) -> None:
    if row.state is CaseState.RUNNING:
        move(session, row, CaseState.QUEUED, f"the lease of {row.worker} lapsed", worker)
    move(session, row, CaseState.RUNNING, "claimed", worker)
    row.attempts += 1
    row.not_before = None
    row.worker = worker
    row.lease_token = secrets.token_hex(16)
    row.lease_until = until


def _held(session: Session, claim: Claim) -> CaseRow:
    row = locked_case(session, claim.case.case_id)
    if row.state is not CaseState.RUNNING or row.lease_token != claim.token:
        raise StaleClaimError(f"the case {row.case_id} is {row.state} and no longer held under this claim")
    return row


def _refuse_while_running(row: CaseRow) -> None:
    # The table has these ways for the worker, which says by itself how its run went.
    if row.state is CaseState.RUNNING:
        raise IllegalTransitionError(f"the case {row.case_id} is running; wait for its result, or withdraw it")


def _keep_result(session: Session, row: CaseRow, result: CaseResult) -> CaseResult:
    if row.result is not None:
        return result_from_json(row.result.result)
    session.add(ResultRow(case_id=row.case_id, result=result_to_json(result), recorded_at=datetime.now(UTC)))
    keep_objects(session, row.case_id, [*objects_of(result.derived), *(one.stored for one in result.review)])
    for series in result.derived:
        _list(session, row.case_id, series)
    return result


def _list(session: Session, case_id: str, series: DerivedSeries) -> None:
    """Rows that a viewer's question finds."""
    listed = DerivedSeriesRow(
        case_id=case_id,
        series_instance_uid=series.series_instance_uid,
        study_instance_uid=series.study_instance_uid,
        modality=series.modality,
        description=series.description,
        instance_count=len(series.instances),
    )
    session.add(listed)
    session.flush()
    session.add_all(
        DerivedInstanceRow(
            series_row_id=listed.id,
            sop_instance_uid=instance.sop_instance_uid,
            sop_class_uid=instance.sop_class_uid,
            transfer_syntax_uid=instance.transfer_syntax_uid,
            digest=instance.stored.digest,
            size_bytes=instance.stored.size_bytes,
            instance_number=number,
        )
        for number, instance in enumerate(series.instances, 1)
    )


def _as_kept(
    kept: CaseResult | None, deliveries: Sequence[tuple[str, DerivedSeries]]
) -> Sequence[tuple[str, DerivedSeries]]:
    # Under a UID that was once given to a result only that result's bytes are ever sent.
    of_uid = {series.series_instance_uid: series for series in (kept.derived if kept else ())}
    return [
        (destination, of_uid[series.series_instance_uid])
        for destination, series in deliveries
        if series.series_instance_uid in of_uid
    ]


def _deliver(
    session: Session, row: CaseRow, deliveries: Sequence[tuple[str, DerivedSeries]], cause: str, actor: str
) -> None:
    enqueue(session, row, deliveries)
    move(session, row, CaseState.DELIVERING if deliveries else CaseState.DELIVERED, cause, actor)


def _whole_id(session: Session, case_id: str) -> str:
    if len(case_id) < SHORTEST_PREFIX:
        raise UnknownRecordError(f"{case_id!r} is too short for a case; give at least {SHORTEST_PREFIX} characters")
    # A range, which every index can answer; names are hexadecimal, so that "g" follows all of them.
    found = session.scalars(
        select(CaseRow.case_id).where(CaseRow.case_id >= case_id, CaseRow.case_id < f"{case_id}g").limit(2)
    ).all()
    if not found:
        raise UnknownRecordError(f"no case {case_id}")
    if len(found) > 1:
        raise UnknownRecordError(f"{case_id} is the beginning of several cases; give more characters")
    return found[0]


def _fresh(session: Session, row: CaseRow) -> CaseRecord:
    session.flush()
    return _record(session.scalars(_cases().where(CaseRow.case_id == row.case_id)).one())


def _record(row: CaseRow) -> CaseRecord:
    return CaseRecord(
        case_id=row.case_id,
        plan=plan_from_json(row.plan),
        state=row.state,
        patient_key=row.patient_key,
        created_at=row.created_at,
        updated_at=row.updated_at,
        attempts=row.attempts,
        error=row.error,
        result=result_from_json(row.result.result) if row.result else None,
        step=row.step or "",
        replaced_by=row.replaced_by or "",
    )
