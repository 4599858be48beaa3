"""Which peer a request is from: calling AE title, address and certificate have to agree with the settings."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..settings import NodeSettings, PeerSettings
from .rejection import CALLING_AE_TITLE, NOT_FROM_HERE, NOT_THIS_CERTIFICATE, TLS_REQUIRED, Rejection
from .tls_connection import PeerCertificate

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is at the other end of a connection, before a word was said."""

    address: str
    local_address: str
    encrypted: bool = False
    certificate: PeerCertificate | None = None

    @property
    def is_ourselves(self) -> bool:
        """Whether it comes from the address that it went to, or from this machine."""
        return self.address == self.local_address or _is_loopback(self.address)


@dataclass(frozen=True, slots=True)
class PeerRule:
    """What a peer has to show. No networks: any; no certificates: any that was checked, or none.

    `max_associations` is how many it may have at once, 0: as many as all.
    """

    name: str
    networks: tuple[Network, ...] = ()
    certificates: tuple[str, ...] = ()
    needs_tls: bool = False
    max_associations: int = 0
    only_ourselves: bool = False

    def against(self, caller: Caller) -> Rejection | None:
        """Why the caller is not this peer, if so."""
        if self.only_ourselves:
            return None if caller.is_ourselves else NOT_FROM_HERE
        if self.networks and not any(_address(caller.address) in network for network in self.networks):
            return NOT_FROM_HERE
        if self.needs_tls and not caller.encrypted:
            return TLS_REQUIRED
        if self.certificates and (caller.certificate is None or not caller.certificate.is_one_of(self.certificates)):
            return NOT_THIS_CERTIFICATE
        return None


STRANGER = PeerRule("")
"""Whom the settings do not name, where they let in everybody."""


@dataclass(frozen=True, slots=True)
class PeerRules:
    """By calling AE title; several peers may have the same. Who has none is let in only if `strangers`."""

    by_ae_title: Mapping[str, Sequence[PeerRule]]
    strangers: bool

    @classmethod
    def of(cls, node: NodeSettings, peers: Mapping[str, PeerSettings]) -> "PeerRules":
        """As the settings say; our own title is for ourselves, unless a peer has the same."""
        rules: dict[str, list[PeerRule]] = {}
        for name, peer in peers.items():
            rule = PeerRule(
                name,
                tuple(ipaddress.ip_network(network, strict=False) for network in peer.addresses),
                peer.certificates,
                needs_tls=peer.tls or bool(peer.certificates),
                max_associations=peer.max_associations,
            )
            rules.setdefault(peer.ae_title.strip(), []).append(rule)
        ourselves = PeerRule("", only_ourselves=not node.accept_unknown_peers)
        rules.setdefault(node.ae_title.strip(), []).insert(0, ourselves)
        return cls(rules, node.accept_unknown_peers)

    def judge(self, calling_ae_title: str, caller: Caller) -> PeerRule | Rejection:
        """The peer that the caller is, or why it is none."""
        refused = CALLING_AE_TITLE
        for rule in self.by_ae_title.get(calling_ae_title, (STRANGER,) if self.strangers else ()):
            against = rule.against(caller)
            if against is None:
                return rule
            refused = against
        return refused


def open_doors(node: NodeSettings, peers: Mapping[str, PeerSettings]) -> Iterable[str]:
    """What a node that listens beyond its own machine should not be set to, in sentences."""
    if _is_loopback(node.host):
        return
    if node.accept_unknown_peers:
        yield "node.accept_unknown_peers lets in whoever reaches the port; name the peers instead"
    unchecked = sorted(name for name, peer in peers.items() if not (peer.addresses or peer.certificates or peer.tls))
    if unchecked:
        yield f"an AE title proves nothing; peers without addresses, certificates or tls: {', '.join(unchecked)}"


def _address(text: str) -> Address:
    """IPv4 in IPv6's clothes is IPv4."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _is_loopback(host: str) -> bool:
    try:
        return _address(host).is_loopback
    except ValueError:
        return host == "localhost"
