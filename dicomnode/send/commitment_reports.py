"""Reports to peers that asked for storage commitment: what the node holds, and why not the rest (PS3.4 J.3.3).

An instance is committed when its row is there, its class is the one that was asked for, and its bytes on disk still
have their digest. What is due stands in the ledger; a report that is not taken is made again, each time later.
"""

import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from storage.catalogue import Catalogue
from storage.commitments import Commitments
from storage.errors import StorageError
from storage.objects import ObjectStore
from storage.records import CommitmentRequest

from ..errors import PeerError, PeerRefusedError, PeerUnreachableError
from ..network.association import Limits, open_association
from ..settings import Settings
from .patience import growing
from .storage_commitment import ALL_COMMITTED, FAILURE_REASONS, SOME_FAILED

NO_SUCH_INSTANCE = 0x0112
CLASS_INSTANCE_CONFLICT = 0x0119
PROCESSING_FAILURE = 0x0110
"""Failure reasons (PS3.3 C.14.1.1) of what is not here, is of another class, or is damaged."""

logger = structlog.get_logger()


class CommitmentReports:
    """Reports what is due until it is stopped. One per node."""

    def __init__(self, settings: Settings, commitments: Commitments, catalogue: Catalogue, store: ObjectStore) -> None:
        self._settings = settings
        self._commitments = commitments
        self._catalogue = catalogue
        self._store = store
        self._wanted = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to report in the background."""
        self._thread = threading.Thread(target=self._run, name="commitment-reports", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the report that is on the wire."""
        self._stopping = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def wake(self) -> None:
        """Something has become due."""
        self._wanted.set()

    def run_once(self, now: datetime) -> int:
        """Report what is due at `now`; how many were due. A peer that fails is not asked twice in one round."""
        failing: set[str] = set()
        done = 0
        while not self._stopping and (due := self._commitments.due(now, 1, failing)):
            (request,) = due
            done += 1
            try:
                self._call(request)
            except PeerError as error:
                failing.add(request.peer)
                self._commitments.retry(request.request_id, str(error), self._retry_at(request, now))
                logger.warning(
                    "A commitment could not be reported",
                    action="commitment_not_reported",
                    peer=request.peer,
                    commitment_uid=request.transaction_uid,
                    reason=str(error),
                )
        return done

    def report(self, association: Any, request: CommitmentRequest) -> None:
        """Report on `association`. Raises `PeerError` when the report is not taken, `StorageError`."""
        failed = self._missing(request.references)
        try:
            answer, _ = association.send_n_event_report(
                _information(request, failed),
                SOME_FAILED if failed else ALL_COMMITTED,
                StorageCommitmentPushModel,
                StorageCommitmentPushModelInstance,
            )
        except (RuntimeError, ValueError) as error:  # the association is gone, or we are not its provider
            raise PeerRefusedError(f"{request.peer or 'the peer'} takes no report on this association") from error
        if "Status" not in answer:
            raise PeerUnreachableError(f"{request.peer or 'the peer'} did not answer the report")
        if answer.Status != 0:
            raise PeerRefusedError(f"{request.peer or 'the peer'} refused the report with 0x{answer.Status:04X}")
        reasons = {uid: f"0x{code:04X} {FAILURE_REASONS[code]}" for uid, code in failed.items()}
        self._commitments.reported(request.request_id, reasons)
        logger.info(
            "A commitment was reported",
            action="commitment_answered",
            peer=request.peer,
            commitment_uid=request.transaction_uid,
            instances=len(request.references),
            failed=len(failed),
        )

    def _run(self) -> None:
        while not self._stopping:
            self._wanted.wait(self._settings.sending.poll_s)
            self._wanted.clear()
            try:
                self.run_once(datetime.now(UTC))
            except StorageError as error:
                logger.warning("Commitments cannot be read", action="commitments_unavailable", reason=str(error))
            except Exception as error:  # noqa: BLE001 - it outlives whatever a round does
                logger.error(  # noqa: TRY400 - a traceback with locals would print headers
                    "Commitments could not be reported", action="commitments_failed", error=type(error).__name__
                )

    def _call(self, request: CommitmentRequest) -> None:
        """Open an association in reversed roles (PS3.4 J.3.3) and report on it."""
        peer = self._settings.peers.get(request.peer)
        if peer is None:
            raise PeerRefusedError("the settings do not say where this peer takes reports")
        node = self._settings.node
        with open_association(
            peer,
            node.ae_title,
            [build_context(StorageCommitmentPushModel)],
            limits=Limits.of(node),
            ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)],
        ) as association:
            self.report(association, request)

    def _retry_at(self, request: CommitmentRequest, now: datetime) -> datetime | None:
        sending = self._settings.sending
        nowhere = request.peer not in self._settings.peers
        if nowhere or request.attempts + 1 >= sending.max_attempts:
            return None
        return now + growing(sending.first_retry_s, request.attempts, sending.longest_retry_s)

    def _missing(self, references: Iterable[tuple[str, str]]) -> Mapping[str, int]:
        """Failure Reason by SOP Instance UID of what the node does not answer for."""
        asked = tuple(references)
        held = self._catalogue.in_use([uid for _, uid in asked])
        missing: dict[str, int] = {}
        for sop_class, uid in asked:
            if uid not in held:
                missing[uid] = NO_SUCH_INSTANCE
            elif held[uid][0] != sop_class:
                missing[uid] = CLASS_INSTANCE_CONFLICT
            elif not self._is_sound(held[uid][1].digest):
                missing[uid] = PROCESSING_FAILURE
        return missing

    def _is_sound(self, digest: str) -> bool:
        try:
            return self._store.verify(digest)
        except (StorageError, OSError):
            return False


def _information(request: CommitmentRequest, failed: Mapping[str, int]) -> Dataset:
    information = Dataset()
    information.TransactionUID = request.transaction_uid
    held = [_reference(*pair) for pair in request.references if pair[1] not in failed]
    if held or not failed:
        information.ReferencedSOPSequence = held
    if failed:
        information.FailedSOPSequence = [
            _reference(*pair, failed[pair[1]]) for pair in request.references if pair[1] in failed
        ]
    return information


def _reference(sop_class: str, uid: str, reason: int | None = None) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class, uid
    if reason is not None:
        reference.FailureReason = reason
    return reference
