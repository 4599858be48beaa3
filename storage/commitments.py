"""What peers asked the node to answer for (storage commitment, PS3.4 Annex J), and how far the answers have come.

Each request is a row before it is acknowledged, and stays due until its report was taken or given up. The instances
that it names are promised from then on: retention leaves them alone for as long as the settings say.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from .errors import UnknownRecordError
from .insertion import insert_new
from .models import CommitmentRequestRow, PromiseRow
from .records import CommitmentRequest, CommitmentState
from .session import Database


class Commitments:
    """The requests of peers. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(
        self,
        peer: str,
        transaction_uid: str,
        references: Sequence[tuple[str, str]],
        now: datetime,
        report_at: datetime,
    ) -> CommitmentRequest | None:
        """Note the request of `peer` for (SOP class, SOP instance) pairs; its report is due at `report_at`.

        The same request again is due again. None when the peer has used the Transaction UID for other instances.
        """
        named = [list(reference) for reference in references]
        with self._database.session() as session:
            insert_new(
                session,
                CommitmentRequestRow,
                peer=peer,
                transaction_uid=transaction_uid,
                references=named,
                state=CommitmentState.OPEN,
                received_at=now,
                attempts=0,
                next_attempt_at=report_at,
                last_error="",
                failed={},
            )
            row = session.scalars(
                select(CommitmentRequestRow)
                .where(CommitmentRequestRow.peer == peer, CommitmentRequestRow.transaction_uid == transaction_uid)
                .with_for_update()
            ).one()
            if row.references != named:
                return None
            row.state, row.attempts, row.next_attempt_at = CommitmentState.OPEN, 0, report_at
            for _, uid in references:
                if not insert_new(session, PromiseRow, sop_instance_uid=uid, promised_at=now):
                    session.get_one(PromiseRow, uid).promised_at = now
            return _request(row)

    def due(self, now: datetime, limit: int = 10, skip: Collection[str] = ()) -> tuple[CommitmentRequest, ...]:
        """What is to be reported: what failed least, then what has waited longest. Peers in `skip` are left out."""
        wanted = (
            select(CommitmentRequestRow)
            .where(CommitmentRequestRow.state == CommitmentState.OPEN, CommitmentRequestRow.next_attempt_at <= now)
            .where(CommitmentRequestRow.peer.not_in(skip))
            .order_by(CommitmentRequestRow.attempts, CommitmentRequestRow.next_attempt_at, CommitmentRequestRow.id)
            .limit(limit)
        )
        with self._database.reading() as session:
            return tuple(_request(row) for row in session.scalars(wanted))

    def reported(self, request_id: int, failed: Mapping[str, str]) -> None:
        """The peer has taken the report, with the reasons of `failed` by SOP Instance UID."""
        with self._database.session() as session:
            row = _locked(session, request_id)
            row.state = CommitmentState.REPORTED
            row.next_attempt_at, row.last_error, row.failed = None, "", dict(failed)

    def retry(self, request_id: int, error: str, retry_at: datetime | None) -> None:
        """The report was not taken: tried again at `retry_at`, or given up with None."""
        with self._database.session() as session:
            row = _locked(session, request_id)
            if row.state is CommitmentState.OPEN:
                row.attempts += 1
                row.next_attempt_at, row.last_error = retry_at, error
                row.state = CommitmentState.GIVEN_UP if retry_at is None else CommitmentState.OPEN

    def get(self, request_id: int) -> CommitmentRequest:
        """The request. Raises `UnknownRecordError`."""
        with self._database.reading() as session:
            row = session.get(CommitmentRequestRow, request_id)
            if row is None:
                raise UnknownRecordError(f"no commitment request {request_id}")
            return _request(row)


def _locked(session: Session, request_id: int) -> CommitmentRequestRow:
    row = session.get(CommitmentRequestRow, request_id, with_for_update=True)
    if row is None:
        raise UnknownRecordError(f"no commitment request {request_id}")
    return row


def _request(row: CommitmentRequestRow) -> CommitmentRequest:
    return CommitmentRequest(
        request_id=row.id,
        peer=row.peer,
        transaction_uid=row.transaction_uid,
        references=tuple((sop_class, uid) for sop_class, uid in row.references),
        state=row.state,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        last_error=row.last_error,
        failed=row.failed,
    )
