"""Storage commitment, push model (PS3.4 Annex J): ask a peer to answer for what it was sent, and hear its answer.

The request goes out on an association of ours; the report comes on the same one while it is open, or on one that the
peer opens to our acceptor, in reversed roles.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from storage.errors import StorageError
from storage.outbox import Outbox
from storage.records import Delivery, DerivedInstance

from ..errors import PeerRefusedError, PeerUnreachableError
from ..network.association import Limits, open_association
from ..settings import PeerSettings, SendingSettings
from .patience import growing

REQUEST_STORAGE_COMMITMENT = 1
"""Action type (PS3.4 J.3.2)."""

ALL_COMMITTED, SOME_FAILED = 1, 2
"""Event types (PS3.4 J.3.3)."""

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
NO_SUCH_EVENT_TYPE = 0x0113
INVALID_ARGUMENT_VALUE = 0x0115
"""Statuses of N-EVENT-REPORT (PS3.7 10.1.1.1.8 and C.5)."""

FAILURE_REASONS = {
    0x0110: "processing failure",
    0x0112: "no such object instance",
    0x0119: "class / instance conflict",
    0x0122: "referenced SOP class not supported",
    0x0131: "duplicate transaction UID",
    0x0213: "resource limitation",
}
"""Failure Reason (PS3.3 C.14.1.1)."""

SAME_ASSOCIATION_S = 0.5
"""How long our association stays open for a peer that reports on it; later it has to open its own (PS3.4 J.3.3)."""

RESEND_AFTER_S = 30.0
"""When instances that the peer does not hold are sent again; later each time."""

DEFAULT_LIMITS = Limits()
DEFAULT_PATIENCE = SendingSettings()

logger = structlog.get_logger()


def request(
    peer: PeerSettings,
    calling_ae_title: str,
    commitment_uid: str,
    instances: Sequence[DerivedInstance],
    outbox: Outbox,
    *,
    limits: Limits = DEFAULT_LIMITS,
    patience: SendingSettings = DEFAULT_PATIENCE,
) -> None:
    """Ask `peer` to commit itself to `instances` under the transaction `commitment_uid`.

    The outbox must know the transaction already: the report may come before the answer to this request. `patience` is
    for a report that instances are missing. Raises `PeerUnreachableError` or `PeerRefusedError`.
    """
    name = f"{peer.ae_title}@{peer.host}:{peer.port}"
    reported, answered = threading.Event(), threading.Event()

    def on_report(event: Any) -> tuple[int, None]:
        reported.set()
        return _on_report(event, outbox, patience)

    def on_pdu_sent(_event: Any) -> None:
        if reported.is_set():  # what goes out next is the answer to the report
            answered.set()

    with open_association(
        peer,
        calling_ae_title,
        [build_context(StorageCommitmentPushModel)],
        limits=limits,
        evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report), (evt.EVT_PDU_SENT, on_pdu_sent)],
    ) as association:
        answer, _ = association.send_n_action(
            _action_information(commitment_uid, instances),
            REQUEST_STORAGE_COMMITMENT,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )
        if "Status" not in answer:
            raise PeerUnreachableError(f"{name} did not answer the request for storage commitment")
        if answer.Status != SUCCESS:
            raise PeerRefusedError(f"{name} refused storage commitment with 0x{answer.Status:04X}")
        if reported.wait(SAME_ASSOCIATION_S):
            answered.wait(limits.dimse_timeout_s)


def handlers(
    outbox: Outbox, patience: SendingSettings = DEFAULT_PATIENCE
) -> list[tuple[Any, Callable[..., Any], list[Any]]]:
    """What the acceptor binds so that reports reach the outbox."""
    return [(evt.EVT_N_EVENT_REPORT, _on_report, [outbox, patience])]


def add_contexts(entity: AE) -> None:
    """Let peers open associations to report: they propose themselves as SCP (PS3.4 J.3.3, role reversal)."""
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)


def _action_information(commitment_uid: str, instances: Sequence[DerivedInstance]) -> Dataset:
    information = Dataset()
    information.TransactionUID = commitment_uid
    information.ReferencedSOPSequence = [_reference(instance) for instance in instances]
    return information


def _reference(instance: DerivedInstance) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = instance.sop_class_uid
    reference.ReferencedSOPInstanceUID = instance.sop_instance_uid
    return reference


def _on_report(event: Any, outbox: Outbox, patience: SendingSettings) -> tuple[int, None]:
    """The status that answers an N-EVENT-REPORT."""
    if event.event_type not in (ALL_COMMITTED, SOME_FAILED):
        return NO_SUCH_EVENT_TYPE, None
    information: Dataset = event.event_information
    commitment_uid = str(information.get("TransactionUID", ""))
    if not commitment_uid:
        return INVALID_ARGUMENT_VALUE, None
    failed: dict[str, str] = {}
    try:
        delivery = outbox.asked(commitment_uid)
        if delivery is not None:
            failed = _failures(information, delivery.series.instances)
            delivery = outbox.committed(commitment_uid, failed, _resend_at(delivery, patience))
    except StorageError as error:
        logger.warning("A storage commitment could not be noted", action="commitment_not_noted", reason=str(error))
        return PROCESSING_FAILURE, None
    if delivery is None:
        logger.warning("Nobody asked for this commitment", action="commitment_unknown", commitment_uid=commitment_uid)
        return INVALID_ARGUMENT_VALUE, None
    logger.info(
        "The peer answered for a series",
        action="commitment_reported",
        case_id=delivery.case_id,
        destination=delivery.destination,
        series_instance_uid=delivery.series.series_instance_uid,
        failed=len(failed),
        state=delivery.state.value,
    )
    return SUCCESS, None


def _failures(information: Dataset, instances: Sequence[DerivedInstance]) -> dict[str, str]:
    """Why, for each instance that the report does not say is held: only what is named counts (PS3.4 J.3.3.1.1)."""
    held = {str(item.get("ReferencedSOPInstanceUID", "")) for item in information.get("ReferencedSOPSequence", [])}
    failed = {
        str(item.get("ReferencedSOPInstanceUID", "")): _reason(item)
        for item in information.get("FailedSOPSequence", [])
    }
    return {
        uid: failed.get(uid, "not committed: the peer's report does not name it")
        for uid in (instance.sop_instance_uid for instance in instances)
        if uid in failed or uid not in held
    }


def _resend_at(delivery: Delivery, patience: SendingSettings) -> datetime | None:
    """When to send again what is missing; None when it was sent often enough."""
    if delivery.attempts >= patience.max_attempts:
        return None
    return datetime.now(UTC) + growing(RESEND_AFTER_S, max(delivery.attempts - 1, 0), patience.longest_retry_s)


def _reason(item: Dataset) -> str:
    code = int(item.get("FailureReason", 0x0110))
    return f"not committed: 0x{code:04X} {FAILURE_REASONS.get(code, 'failure')}"
