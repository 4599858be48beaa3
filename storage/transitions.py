"""The states of a case and the ways between them: one table, and the one function that moves a case along it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from .errors import IllegalTransitionError, UnknownRecordError
from .models import CaseEventRow, CaseRow
from .records import CaseState

GIVEN_UP = frozenset({CaseState.WITHDRAWN, CaseState.REPLACED})
"""What was not sent of such a case never is."""

TRANSITIONS: Mapping[CaseState | None, frozenset[CaseState]] = MappingProxyType(
    {
        None: frozenset({CaseState.WAITING, CaseState.QUEUED, CaseState.QUARANTINED}),
        CaseState.WAITING: frozenset({CaseState.QUEUED, CaseState.QUARANTINED}) | GIVEN_UP,
        # A person settles the identity: run it, or reject it.
        CaseState.QUARANTINED: frozenset({CaseState.QUEUED, CaseState.REJECTED}) | GIVEN_UP,
        CaseState.QUEUED: frozenset({CaseState.RUNNING}) | GIVEN_UP,
        # Back to the queue: a failure that another try may help, or a lease that lapsed.
        CaseState.RUNNING: frozenset(
            {CaseState.ACCEPTED, CaseState.REVIEW, CaseState.REJECTED, CaseState.QUEUED, CaseState.FAILED}
        )
        | GIVEN_UP,
        # Straight to delivered where the rule names no destination.
        CaseState.ACCEPTED: frozenset({CaseState.DELIVERING, CaseState.DELIVERED}) | GIVEN_UP,
        CaseState.REVIEW: frozenset({CaseState.DELIVERING, CaseState.DELIVERED, CaseState.REJECTED, CaseState.QUEUED})
        | GIVEN_UP,
        CaseState.DELIVERING: frozenset({CaseState.DELIVERED}) | GIVEN_UP,
        # Queued again by a person: the stored result is sent again, never a new one under the old UIDs.
        CaseState.DELIVERED: frozenset({CaseState.QUEUED}) | GIVEN_UP,
        CaseState.FAILED: frozenset({CaseState.QUEUED}) | GIVEN_UP,
        CaseState.REJECTED: frozenset(),
        CaseState.WITHDRAWN: frozenset(),
        CaseState.REPLACED: frozenset(),
    }
)


def locked_case(session: Session, case_id: str) -> CaseRow:
    """The case's row, which nobody else can change until the transaction ends. Raises `UnknownRecordError`.

    Whatever changes a case or its deliveries takes this lock first, so that two of them see each other's work.
    """
    wanted = select(CaseRow).where(CaseRow.case_id == case_id).options(joinedload(CaseRow.result))
    row = session.scalars(wanted.with_for_update(of=CaseRow).execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise UnknownRecordError(f"no case {case_id}")
    return row


def move(session: Session, row: CaseRow, to: CaseState, cause: str, actor: str) -> None:
    """Move the case and log it. Raises `IllegalTransitionError` when the table does not lead there."""
    if to not in TRANSITIONS[row.state]:
        raise IllegalTransitionError(f"a case that is {row.state} cannot become {to} (case {row.case_id})")
    note(session, row, to, cause, actor)
    row.state = to
    row.lease_token, row.lease_until, row.worker, row.step = "", None, "", None


def note(session: Session, row: CaseRow, to: CaseState, cause: str, actor: str) -> None:
    """Log what was done to a case on the way to `to`, which may be where it is."""
    row.updated_at = datetime.now(UTC)
    session.add(
        CaseEventRow(
            case_id=row.case_id, at=row.updated_at, from_state=row.state, to_state=to, cause=cause, actor=actor
        )
    )
