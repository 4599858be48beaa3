"""C-STORE and C-ECHO as pynetdicom hands them over: each event becomes a record or an answer, nothing more."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from pydicom.dataset import Dataset
from pynetdicom import evt

from storage.errors import StorageError
from storage.records import AddOutcome, ReceivedInstance

from ..errors import NodeError, UidMismatchError
from ..network.acceptor_events import association_id
from ..observe.logs import account, describe
from ..observe.metrics import BYTES_RECEIVED, INSTANCES_RECEIVED, RECEIVE_SECONDS
from .status import OUTCOMES, DimseStatus, status_of

log = structlog.get_logger()

Take = Callable[[ReceivedInstance], AddOutcome]
"""`Ingest`, or whatever keeps an instance and returns only when it is durable."""

MAX_COMMENT_LENGTH = 64


def handlers(take: Take) -> list[tuple[Any, ...]]:
    """To be bound to a listening application entity."""
    return [(evt.EVT_C_STORE, on_c_store, [take]), (evt.EVT_C_ECHO, on_c_echo)]


def on_c_echo(_event: evt.Event) -> int:
    """PS3.4 A.4: Success."""
    return 0x0000


def on_c_store(event: evt.Event, take: Take) -> Dataset:
    """PS3.4 B.2.3: Success once the instance is durable, else what is wrong with it or with us."""
    with structlog.contextvars.bound_contextvars(
        association=association_id(event),
        calling_ae_title=str(event.assoc.requestor.ae_title),
        sop_instance_uid=str(event.request.AffectedSOPInstanceUID),
    ):
        with RECEIVE_SECONDS.time():
            status = _answer(event, take)
        return _dataset(status)


def _answer(event: evt.Event, take: Take) -> DimseStatus:
    try:
        received = _received(event)
        outcome = take(received)
    except (NodeError, StorageError) as error:
        status = status_of(error)
        code = f"{status.code:04X}"
        log.warning("instance not taken", action="instance_refused", status=code, error=describe(error))
        INSTANCES_RECEIVED.labels("refused").inc()
    except Exception as error:  # noqa: BLE001 - the door: whatever happens, the peer gets an answer
        status = status_of(error)
        said = account(error)  # a traceback could quote the header
        log.error("instance not taken, unforeseen", action="instance_failed", **said)  # noqa: TRY400
        INSTANCES_RECEIVED.labels("failed").inc()
    else:
        status = OUTCOMES[outcome]
        level = log.warning if status.code else log.debug
        level("instance kept", action="instance_kept", outcome=outcome.value)
        INSTANCES_RECEIVED.labels(outcome.value).inc()
        BYTES_RECEIVED.inc(len(received.dataset))
    return status


def _received(event: evt.Event) -> ReceivedInstance:
    request, context, requestor = event.request, event.context, event.assoc.requestor
    if request.AffectedSOPClassUID != context.abstract_syntax:
        raise UidMismatchError("the SOP class of the command is not that of its presentation context")
    return ReceivedInstance(
        sop_class_uid=str(request.AffectedSOPClassUID),
        sop_instance_uid=str(request.AffectedSOPInstanceUID),
        transfer_syntax_uid=str(context.transfer_syntax),
        dataset=event.encoded_dataset(include_meta=False),
        calling_ae_title=str(requestor.ae_title).strip(),
        called_ae_title=str(requestor.primitive.called_ae_title).strip(),
        peer_address=str(requestor.address),
        received_at=datetime.now(UTC),
    )


def _dataset(status: DimseStatus) -> Dataset:
    answer = Dataset()
    answer.Status = status.code
    if status.code and status.comment:
        answer.ErrorComment = status.comment[:MAX_COMMENT_LENGTH]
    return answer
