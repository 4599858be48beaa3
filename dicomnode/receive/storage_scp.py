"""C-STORE and C-ECHO as pynetdicom hands them over: each event becomes a record or an answer, nothing more."""

from datetime import UTC, datetime
from typing import Any

import structlog
from pydicom.dataset import Dataset
from pynetdicom import evt

from storage.records import ReceivedInstance

from ..errors import UidMismatchError
from ..network.acceptor_events import association_id
from ..network.command_set import MAX_COMMENT_LENGTH
from .outcome import Take, answer
from .status import DimseStatus


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
        return _dataset(answer(take, lambda: _received(event)))


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
    said = Dataset()
    said.Status = status.code
    if status.code and status.comment:
        said.ErrorComment = status.comment[:MAX_COMMENT_LENGTH]
    return said
