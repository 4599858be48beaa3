"""Our application entity, as acceptor and as requestor, with the limits of the settings."""

from collections.abc import Mapping
from dataclasses import dataclass

from pynetdicom import AE

from ..settings import OWN_IMPLEMENTATION_UID, OWN_IMPLEMENTATION_VERSION, NodeSettings, PeerSettings


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait for the peer, and the largest PDU that it may send (0: any)."""

    acse_timeout_s: float = 30
    dimse_timeout_s: float = 60
    network_timeout_s: float = 60
    max_pdu_bytes: int = 131072

    @classmethod
    def of(cls, node: NodeSettings) -> "Limits":
        """As the settings say."""
        return cls(node.acse_timeout_s, node.dimse_timeout_s, node.network_timeout_s, node.max_pdu_bytes)


DEFAULT_LIMITS = Limits()


def make_application_entity(ae_title: str, limits: Limits = DEFAULT_LIMITS) -> AE:
    """An application entity under `ae_title` that says who we are."""
    ae = AE(ae_title)
    ae.implementation_class_uid = OWN_IMPLEMENTATION_UID
    ae.implementation_version_name = OWN_IMPLEMENTATION_VERSION
    ae.acse_timeout = limits.acse_timeout_s
    ae.connection_timeout = limits.acse_timeout_s
    ae.dimse_timeout = limits.dimse_timeout_s
    ae.network_timeout = limits.network_timeout_s
    ae.maximum_pdu_size = limits.max_pdu_bytes
    return ae


def make_acceptor(node: NodeSettings, peers: Mapping[str, PeerSettings]) -> AE:
    """The entity that listens: it lets in the peers of the settings and itself, unless all are let in.

    A wrong called or calling AE title is rejected for good, one association too many for a while (PS3.8 9.3.4).
    """
    ae = make_application_entity(node.ae_title, Limits.of(node))
    ae.maximum_associations = node.max_associations
    ae.require_called_aet = node.require_called_ae_title
    if not node.accept_unknown_peers:
        ae.require_calling_aet = sorted({node.ae_title, *(peer.ae_title for peer in peers.values())})
    return ae
