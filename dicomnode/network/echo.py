"""C-ECHO: whether the peer answers (PS3.4 Annex A)."""

import time

from ..errors import PeerRefusedError, PeerUnreachableError
from ..settings import PeerSettings
from .application_entity import DEFAULT_LIMITS, Limits
from .association import open_association
from .contexts import verification_context


def echo(
    peer: PeerSettings,
    calling_ae_title: str,
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> float:
    """Seconds from opening the association to the answer. Raises `PeerError` when there is none or it is no success."""
    started = time.monotonic()
    with open_association(peer, calling_ae_title, [verification_context()], limits=limits) as association:
        answer = association.send_c_echo()
        seconds = time.monotonic() - started
    if "Status" not in answer:
        raise PeerUnreachableError(f"{peer.ae_title} at {peer.host}:{peer.port} did not answer the C-ECHO in time")
    if answer.Status != 0:
        raise PeerRefusedError(
            f"{peer.ae_title} at {peer.host}:{peer.port} answered the C-ECHO with 0x{answer.Status:04X}"
        )
    return seconds
