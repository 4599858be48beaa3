"""What a running node accounts for, and who gets in by address and number: over real sockets."""

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest

from dicomnode.errors import PeerError
from dicomnode.network.echo import echo
from dicomnode.network.peer_rules import PeerRules, open_doors
from dicomnode.observe.audit_chain import verify
from dicomnode.observe.metrics import AUDIT_LOST, REFUSALS
from dicomnode.settings import NodeSettings, PeerSettings
from tests.fixtures.certificates import Authority, Certificate
from tests.fixtures.dicom_peer import NODE, WORKSTATION, Receiver, associated, sample, send

Start = Callable[..., Receiver]
BOTH = pytest.mark.parametrize("kind", ["direct", "pynetdicom"])


def count(reason: str) -> float:
    return float(REFUSALS.labels(reason)._value.get())


def events(path: Path) -> list[Element]:
    return [fromstring(line.split(" ", 2)[2]) for line in path.read_text(encoding="utf-8").splitlines()]


def codes(messages: list[Element]) -> list[str]:
    return [str(one.find("EventIdentification/EventID").get("csd-code")) for one in messages]  # type: ignore[union-attr]


@contextmanager
def server_of_syslog(kind: socket.SocketKind, tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A port, and what comes in there."""
    came: list[bytes] = []
    with socket.socket(socket.AF_INET, kind) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(30)

        def read() -> None:
            connection = listening
            if kind == socket.SOCK_STREAM:
                listening.listen()
                connection = listening.accept()[0]
                connection = connection if tls is None else tls.wrap_socket(connection, server_side=True)
            with connection:
                while part := connection.recv(65536):
                    came.append(part)

        reader = threading.Thread(target=lambda: _until_closed(read), daemon=True)
        reader.start()
        yield int(listening.getsockname()[1]), came


def _until_closed(read: Callable[[], None]) -> None:
    try:
        read()
    except OSError:
        return


@BOTH
def test_a_transfer_and_a_refusal_are_in_the_chain(start_receiver: Start, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "audit.log"
    node = start_receiver(node={"receiver": kind}, audit={"file": str(path)})
    study = {"StudyInstanceUID": "1.2.3.4"}
    assert send(node.port, sample(**study), sample(**study), sample(PatientID="OTHER")) == [0, 0, 0]
    with associated(node.port, [sample()], calling="STRANGER") as association:
        assert association.is_rejected
    node.server.stop()
    node.audit.stopped()
    messages = events(path)
    assert sorted(codes(messages)) == ["110100", "110104", "110104", "110113"]
    told = next(one for one in messages if b"1.2.3.4" in _bytes(one))
    assert b'NumberOfInstances="2"' in _bytes(told)
    assert b'ParticipantObjectID="MARKED-ID"' in _bytes(told)
    assert b"Marked^Patient" not in path.read_bytes()
    alert = next(one for one in messages if codes([one]) == ["110113"])
    assert b'UserID="STRANGER"' in _bytes(alert)
    assert verify(path).lines == len(messages)


def _bytes(element: Element) -> bytes:
    from xml.etree.ElementTree import tostring

    return tostring(element)


@pytest.mark.parametrize(("scheme", "kind"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)])
def test_syslog_gets_the_same(start_receiver: Start, scheme: str, kind: socket.SocketKind) -> None:
    with server_of_syslog(kind) as (port, came):
        node = start_receiver(audit={"syslog": f"{scheme}://127.0.0.1:{port}"})
        assert send(node.port, sample()) == [0]
        node.server.stop()
        node.audit.stopped()
        for _ in range(600):
            if b"110121" in b"".join(came):
                break
            threading.Event().wait(0.05)
    everything = b"".join(came)
    assert b"110104" in everything
    assert everything.count(b"<85>1 ") == 2
    assert (scheme == "tcp") == bool(re.match(rb"\d+ <85>1 ", everything))


def test_syslog_over_tls(start_receiver: Start, own: Certificate, authority: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    with server_of_syslog(socket.SOCK_STREAM, context) as (port, came):
        section = {"syslog": f"tls://127.0.0.1:{port}", "syslog_ca": str(authority.certificate)}
        node = start_receiver(audit=section)
        assert send(node.port, sample()) == [0]
        node.server.stop()
        for _ in range(600):
            if b"110104" in b"".join(came):
                break
            threading.Event().wait(0.05)
    assert re.match(rb"\d+ <85>1 ", b"".join(came))


def test_a_syslog_server_that_is_away_holds_up_nobody(start_receiver: Start) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening
        before = float(AUDIT_LOST.labels("syslog")._value.get())
        node = start_receiver(audit={"syslog": f"tcp://127.0.0.1:{nobody.getsockname()[1]}", "queue": 1})
        for _ in range(4):
            assert send(node.port, sample()) == [0]
        node.audit.stopped()
    assert float(AUDIT_LOST.labels("syslog")._value.get()) > before


@BOTH
@pytest.mark.parametrize(
    ("addresses", "comes_in"),
    [(["127.0.0.1"], True), (["192.0.2.1", "127.0.0.0/8"], True), (["127.0.0.2"], False), (["::1"], False)],
)
def test_a_peer_calls_from_its_own_address(
    start_receiver: Start, kind: str, addresses: list[str], comes_in: bool
) -> None:
    peers: dict[str, Any] = {"workstation": {"ae_title": WORKSTATION, "addresses": addresses}}
    node = start_receiver(node={"receiver": kind}, peers=peers)
    before = count("address")
    with associated(node.port, [sample()]) as association:
        assert association.is_established == comes_in
        if not comes_in:
            answer = association.acceptor.primitive
            assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, 3)
            assert count("address") == before + 1


@BOTH
def test_a_peer_has_as_many_associations_as_it_may(start_receiver: Start, kind: str) -> None:
    peers: dict[str, Any] = {
        "workstation": {"ae_title": WORKSTATION, "max_associations": 1},
        "other": {"ae_title": "OTHER"},
    }
    node = start_receiver(node={"receiver": kind}, peers=peers)
    with associated(node.port, [sample()]) as first:
        assert first.is_established
        with associated(node.port, [sample()]) as second:
            answer = second.acceptor.primitive
            assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)
        assert send(node.port, sample(), calling="OTHER") == [0]
    for _ in range(600):
        if not node.server.busy:
            break
        threading.Event().wait(0.05)
    assert send(node.port, sample()) == [0]


def test_our_own_title_is_ours_alone() -> None:
    from dicomnode.network.peer_rules import Caller, PeerRule

    rules = PeerRules.of(NodeSettings(ae_title=NODE), {})
    assert isinstance(rules.judge(NODE, Caller("192.0.2.9", "192.0.2.9")), PeerRule)
    assert isinstance(rules.judge(NODE, Caller("127.0.0.1", "127.0.0.1")), PeerRule)
    assert not isinstance(rules.judge(NODE, Caller("192.0.2.8", "192.0.2.9")), PeerRule)


def test_ipv4_in_ipv6_is_ipv4() -> None:
    from dicomnode.network.peer_rules import Caller, PeerRule

    rules = PeerRules.of(NodeSettings(), {"a": PeerSettings(ae_title="A", addresses=("192.0.2.0/24",))})
    assert isinstance(rules.judge("A", Caller("::ffff:192.0.2.7", "::1")), PeerRule)


def test_open_doors_are_named() -> None:
    peers = {"a": PeerSettings(ae_title="A"), "b": PeerSettings(ae_title="B", addresses=("192.0.2.1",))}
    assert list(open_doors(NodeSettings(accept_unknown_peers=True), peers)) == []
    unknown, unchecked = open_doors(NodeSettings(host="0.0.0.0", accept_unknown_peers=True), peers)
    assert "accept_unknown_peers" in unknown
    assert unchecked.endswith(": a")


def test_an_unknown_peer_is_refused_by_the_settings(start_receiver: Start) -> None:
    node = start_receiver()
    with pytest.raises(PeerError, match="not recognised"):
        echo(PeerSettings(ae_title=NODE, port=node.port), "STRANGER")
