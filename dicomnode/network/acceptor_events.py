"""What happens to the associations that peers open: how they end is logged and counted, a stalled one is dropped."""

from collections.abc import Callable

import structlog
from pynetdicom import evt

from ..observe.metrics import ASSOCIATIONS
from .association import send_at_once

log = structlog.get_logger()


def handlers() -> list[tuple[evt.EventType, Callable[[evt.Event], None]]]:
    """To be bound to a listening application entity."""
    return [
        (evt.EVT_CONN_OPEN, on_connection),
        (evt.EVT_ACCEPTED, on_accepted),
        (evt.EVT_REJECTED, on_rejected),
        (evt.EVT_RELEASED, on_released),
        (evt.EVT_ABORTED, on_aborted),
    ]


def on_connection(event: evt.Event) -> None:
    """Bound the wait for each piece of a PDU: a peer that stops half-way gives its place back."""
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.settimeout(event.assoc.network_timeout)
    send_at_once(event.assoc)


def on_accepted(event: evt.Event) -> None:
    """Log who was let in; our own probes only for who looks closely."""
    level = log.debug if _is_probe(event) else log.info
    level("association accepted", action="association_accepted", **_who(event))


def on_rejected(event: evt.Event) -> None:
    """Log who was not, and why."""
    answer = event.assoc.acceptor.primitive
    ASSOCIATIONS.labels("rejected").inc()
    log.warning("association rejected", action="association_rejected", reason=answer.reason_str, **_who(event))


def on_released(event: evt.Event) -> None:
    """Log a good end."""
    ASSOCIATIONS.labels("released").inc()
    level = log.debug if _is_probe(event) else log.info
    level("association released", action="association_released", **_who(event))


def on_aborted(event: evt.Event) -> None:
    """Log a bad end, whichever side made it."""
    ASSOCIATIONS.labels("aborted").inc()
    log.warning("association aborted", action="association_aborted", **_who(event))


def _who(event: evt.Event) -> dict[str, str]:
    requestor = event.assoc.requestor
    request = requestor.primitive
    return {
        "association": association_id(event),
        "calling_ae_title": str(requestor.ae_title),
        "called_ae_title": str(request.called_ae_title) if request is not None else "",
        "peer_address": str(requestor.address),
    }


def _is_probe(event: evt.Event) -> bool:
    return bool(event.assoc.requestor.ae_title == event.assoc.ae.ae_title)


def association_id(event: evt.Event) -> str:
    """Names the association among those of this process at this time: the number of its thread."""
    return str(event.assoc.native_id)
