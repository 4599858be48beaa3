"""What becomes of an instance that a peer hands over because we asked: the same as of one that it sends by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from storage.records import EncodedBytes, ReceivedInstance

from ..settings import PeerSettings

Take = Callable[[ReceivedInstance], int]
"""Keeps an instance and returns its C-STORE status once it is durable."""


class Way(StrEnum):
    """How instances are brought."""

    MOVE = "move"
    GET = "get"
    DICOMWEB = "dicomweb"


@dataclass(frozen=True, slots=True)
class Brought:
    """How many instances came, and what did not: how many, and why."""

    came: int
    failed: int = 0
    reason: str = ""


def is_kept(status: int) -> bool:
    """Success and warnings (PS3.4 B.2.3)."""
    return status == 0 or 0xB000 <= status <= 0xBFFF


def received_from(
    peer: PeerSettings,
    called_ae_title: str,
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax_uid: str,
    dataset: EncodedBytes,
) -> ReceivedInstance:
    """The instance as if the peer had sent it: who issued its Patient ID is known by that."""
    return ReceivedInstance(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
        dataset=dataset,
        calling_ae_title=peer.ae_title,
        called_ae_title=called_ae_title,
        peer_address=peer.host,
        received_at=datetime.now(UTC),
    )
