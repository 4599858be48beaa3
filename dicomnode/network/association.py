"""An association that the node requests: opened, handed over, and released whatever happens."""

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from ..errors import PeerRefusedError, PeerUnreachableError
from ..settings import PeerSettings
from .application_entity import DEFAULT_LIMITS, Limits, make_application_entity
from .tls import TlsFiles, client_context

__all__ = ["MAX_CONTEXTS", "Limits", "open_association", "send_at_once"]

MAX_CONTEXTS = 128
"""Presentation context IDs are the odd numbers of one byte (PS3.8 9.3.2.2)."""


@contextmanager
def open_association(
    peer: PeerSettings,
    calling_ae_title: str,
    contexts: Sequence[PresentationContext],
    *,
    limits: Limits = DEFAULT_LIMITS,
    ext_neg: Sequence[Any] = (),
    evt_handlers: Sequence[tuple[Any, ...]] = (),
) -> Iterator[Association]:
    """An established association with `peer`, released at the end, aborted when the body raises.

    Raises `PeerUnreachableError` when none could be made, `PeerRefusedError` when the peer rejected it or accepted
    none of the contexts.
    """
    association = make_application_entity(calling_ae_title, limits).associate(
        peer.host,
        peer.port,
        contexts=list(contexts),
        ae_title=peer.ae_title,
        max_pdu=limits.max_pdu_bytes,
        ext_neg=list(ext_neg),
        evt_handlers=list(evt_handlers),
        tls_args=_tls_args(peer),
    )
    _require_established(association, peer)
    send_at_once(association)
    with _released(association):
        yield association


def _tls_args(peer: PeerSettings) -> tuple[ssl.SSLContext, str] | None:
    """Context and host name where the peer is called over TLS. Raises `SettingsError` for files that are of no use."""
    if not peer.tls:
        return None
    files = TlsFiles(peer.tls_certificate, peer.tls_key, peer.tls_ca)
    return client_context(files, check_host=peer.tls_check_host), peer.host


@contextmanager
def _released(association: Association) -> Iterator[None]:
    finish: Callable[[], None] = association.abort
    try:
        yield
        finish = association.release
    finally:
        if association.is_established:
            finish()


def _require_established(association: Association, peer: PeerSettings) -> None:
    if association.is_established:
        return
    name = f"{peer.ae_title}@{peer.host}:{peer.port}"
    if association.is_rejected:
        answer = association.acceptor.primitive
        raise PeerRefusedError(f"{name} rejected the association: {answer.reason_str} ({answer.result_str})")
    if association.rejected_contexts:
        raise PeerRefusedError(f"{name} accepted none of the proposed SOP classes and transfer syntaxes")
    trust = ", and does each side believe the other's certificate" if peer.tls else ""
    raise PeerUnreachableError(
        f"no association with {name}; is it running, and are address, port and AE titles right on both sides{trust}?"
    )


def send_at_once(association: Association) -> None:
    """Switch off Nagle's algorithm, which with delayed acknowledgement costs 40 ms a message."""
    transport = association.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
