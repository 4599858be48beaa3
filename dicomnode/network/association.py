"""Associations that we ask for: opened, released at the end, aborted on an error."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from pynetdicom import Association
from pynetdicom.presentation import PresentationContext

from ..errors import PeerRefusedError, PeerUnreachableError
from ..settings import PeerSettings
from .application_entity import make_application_entity

log = structlog.get_logger()


DEFAULT_LIMITS = Limits()


@contextmanager
def open_association(
    peer: PeerSettings,
    calling_ae_title: str,
    contexts: Sequence[PresentationContext],
    *,
    acse_timeout_s: float = 30,
    dimse_timeout_s: float = 60,
    network_timeout_s: float = 60,
    max_pdu_bytes: int = 131072,
    ext_neg: Sequence[Any] = (),
    handlers: Sequence[tuple[Any, Callable[..., Any]]] = (),
) -> Iterator[Association]:
    """An established association with at least one accepted context (at most 128 may be asked for).

    Raises `PeerUnreachableError` when nobody answers and `PeerRefusedError` when the peer says no.
    """
    ae = make_application_entity(
        calling_ae_title,
        acse_timeout_s=acse_timeout_s,
        dimse_timeout_s=dimse_timeout_s,
        network_timeout_s=network_timeout_s,
        max_pdu_bytes=max_pdu_bytes,
    )
    association = ae.associate(
        peer.host,
        peer.port,
        contexts=list(contexts),
        ae_title=peer.ae_title,
        max_pdu=max_pdu_bytes,
        ext_neg=list(ext_neg),
        evt_handlers=list(handlers),
    )
    if not association.is_established:
        raise _refusal(peer, association)
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    if association.is_established:
        association.release()


def _refusal(peer: PeerSettings, association: Association) -> PeerRefusedError | PeerUnreachableError:
    where = f"{peer.ae_title} at {peer.host}:{peer.port}"
    if association.is_rejected:
        answer = association.acceptor.primitive
        return PeerRefusedError(f"{where} rejected the association: {answer.result_str}, {answer.reason_str}")
    if association.rejected_contexts:
        return PeerRefusedError(f"{where} accepts none of the presentation contexts that were asked for")
    return PeerUnreachableError(f"{where} gave no association; is it running, and are host and port right?")
