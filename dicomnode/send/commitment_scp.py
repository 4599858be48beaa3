"""Storage commitment as SCP (PS3.4 Annex J): peers ask whether the node holds what they sent, and are told.

A request is a row before it is acknowledged. The report goes out on an association of ours, or, where the settings
say so and for peers that they do not name, on the one of the request while that lasts.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from pydicom.dataset import Dataset
from pynetdicom import evt

from storage.commitments import Commitments
from storage.errors import StorageError
from storage.records import CommitmentRequest

from ..errors import PeerError
from ..observe.logs import describe
from ..settings import PeerSettings
from .commitment_reports import CommitmentReports
from .storage_commitment import REQUEST_STORAGE_COMMITMENT

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
INVALID_ARGUMENT_VALUE = 0x0115
NO_SUCH_ACTION = 0x0123
NOT_AUTHORISED = 0x0124
"""Statuses of N-ACTION (PS3.7 10.1.4.1.10)."""

MOST_REFERENCES = 100_000
"""Instances of one request: a study has thousands."""

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CommitmentScp:
    """Takes requests. `peers` are those of the settings, by name."""

    peers: dict[str, PeerSettings]
    commitments: Commitments
    reports: CommitmentReports

    def handlers(self) -> list[tuple[Any, Callable[..., Any]]]:
        """To be bound to the application entity that listens."""
        return [(evt.EVT_N_ACTION, self.on_action)]

    def on_action(self, event: Any) -> tuple[int, None]:
        """The status that answers an N-ACTION."""
        peer = str(getattr(event.assoc, "peer_name", ""))
        log = logger.bind(peer=peer or str(event.assoc.requestor.ae_title))
        status, why, request = self._taken(event, peer)
        if request is None:
            log.warning("A request for commitment was refused", action="commitment_refused", reason=why, status=status)
            return status, None
        log.info(
            "A peer asks for storage commitment",
            action="commitment_asked",
            commitment_uid=request.transaction_uid,
            instances=len(request.references),
        )
        if self._way(peer) == "same":
            # Its own thread: the answer to the request has to go out first, from this one.
            threading.Thread(target=self._report_here, args=(event.assoc, request), daemon=True).start()
        else:
            self.reports.wake()
        return SUCCESS, None

    def _way(self, peer: str) -> str:
        """How the report goes out; to one that the settings do not name there is no other way."""
        return self.peers[peer].commitment_report if peer in self.peers else "same"

    def _taken(self, event: Any, peer: str) -> tuple[int, str, CommitmentRequest | None]:
        """Status, reason and the request as it is kept."""
        if self._way(peer) == "refuse":
            return NOT_AUTHORISED, "the settings do not let this peer ask", None
        if event.action_type != REQUEST_STORAGE_COMMITMENT:
            return NO_SUCH_ACTION, f"there is no action of type {event.action_type}", None
        try:
            transaction_uid, references = _asked(event.action_information)
        except Exception as error:  # noqa: BLE001 - pydicom raises whatever its parts raise on bytes of any kind
            return INVALID_ARGUMENT_VALUE, f"the request cannot be read: {describe(error)}", None
        if not transaction_uid or not 0 < len(references) <= MOST_REFERENCES:
            return INVALID_ARGUMENT_VALUE, "the request has no Transaction UID, no instances, or too many", None
        now = datetime.now(UTC)
        held_back = timedelta(seconds=event.assoc.dimse_timeout or 0) if self._way(peer) == "same" else timedelta(0)
        try:
            request = self.commitments.ask(peer, transaction_uid, references, now, now + held_back)
        except StorageError as error:
            return PROCESSING_FAILURE, str(error), None
        return INVALID_ARGUMENT_VALUE, "the Transaction UID was used for other instances", request

    def _report_here(self, association: Any, request: CommitmentRequest) -> None:
        """Report on the association of the request; where that fails the rows bring it up again."""
        try:
            self.reports.report(association, request)
        except (PeerError, StorageError) as error:
            logger.info(
                "The report has to go another way",
                action="commitment_report_later",
                commitment_uid=request.transaction_uid,
                reason=str(error),
            )


def _asked(information: Dataset) -> tuple[str, list[tuple[str, str]]]:
    references = [
        (str(item.get("ReferencedSOPClassUID", "")), str(item.get("ReferencedSOPInstanceUID", "")))
        for item in information.get("ReferencedSOPSequence") or []
    ]
    return str(information.get("TransactionUID", "")), list(dict.fromkeys(references))
