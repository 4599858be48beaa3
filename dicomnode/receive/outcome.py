"""What a peer is answered for one instance, whichever way it came in."""

from collections.abc import Callable
from typing import NamedTuple

import structlog

from storage.errors import StorageError
from storage.records import AddOutcome, ReceivedInstance

from ..errors import NodeError
from ..observe.logs import account, describe
from ..observe.metrics import BYTES_RECEIVED, INSTANCES_RECEIVED, RECEIVE_SECONDS
from .status import OUTCOMES, DimseStatus, status_of

log = structlog.get_logger()


class Taken(NamedTuple):
    """What became of an instance; `comment` is said to the peer in place of the table's."""

    outcome: AddOutcome
    comment: str = ""


Take = Callable[[ReceivedInstance], Taken]
"""`SecondLook`, or whatever keeps an instance and returns only when it is durable."""


def answer(take: Take, received: Callable[[], ReceivedInstance]) -> DimseStatus:
    """PS3.4 B.2.3: Success once the instance is durable, else what is wrong with it or with us; logged and counted."""
    with RECEIVE_SECONDS.time():
        return _answer(take, received)


def _answer(take: Take, received: Callable[[], ReceivedInstance]) -> DimseStatus:
    try:
        instance = received()
        outcome, comment = take(instance)
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
        if comment:
            status = status._replace(comment=comment)
        level = log.warning if status.code else log.debug
        level("instance kept", action="instance_kept", outcome=outcome.value)
        INSTANCES_RECEIVED.labels(outcome.value).inc()
        BYTES_RECEIVED.inc(len(instance.dataset))
    return status
