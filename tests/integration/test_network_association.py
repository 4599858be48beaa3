"""Associations and C-ECHO that we ask for: what goes wrong has its own error."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pynetdicom import build_context

from dicomnode.errors import PeerRefusedError, PeerUnreachableError
from dicomnode.network import Limits, echo, open_association
from dicomnode.settings import OWN_IMPLEMENTATION_UID, PeerSettings
from tests.fixtures.dicom_peer import CT, EXPLICIT, NODE, WORKSTATION, Receiver

SHORT = Limits(acse_timeout_s=0.5, dimse_timeout_s=0.5, network_timeout_s=0.5)


def test_a_node_that_answers(receiver: Receiver) -> None:
    peer = PeerSettings(ae_title=NODE, port=receiver.port)
    assert 0 < echo(peer, WORKSTATION) < 10
    with open_association(peer, WORKSTATION, [build_context(CT, [EXPLICIT])]) as association:
        assert association.acceptor.implementation_class_uid == OWN_IMPLEMENTATION_UID
        assert association.requestor.implementation_class_uid == OWN_IMPLEMENTATION_UID
    assert association.is_released


def test_an_error_inside_aborts(receiver: Receiver) -> None:
    peer = PeerSettings(ae_title=NODE, port=receiver.port)
    with (
        pytest.raises(ZeroDivisionError),
        open_association(peer, WORKSTATION, [build_context(CT, [EXPLICIT])]) as association,
    ):
        raise ZeroDivisionError
    assert association.is_aborted


@pytest.mark.parametrize(("called", "calling"), [("WRONG", WORKSTATION), (NODE, "STRANGER")])
def test_a_rejection_says_why(receiver: Receiver, called: str, calling: str) -> None:
    with pytest.raises(PeerRefusedError, match="AE title not recognised"):
        echo(PeerSettings(ae_title=called, port=receiver.port), calling)


def test_a_class_that_the_peer_does_not_take(receiver: Receiver) -> None:
    ultrasound = build_context("1.2.840.10008.5.1.4.1.1.6.1", [EXPLICIT])
    with (
        pytest.raises(PeerRefusedError, match="none of the proposed"),
        open_association(PeerSettings(ae_title=NODE, port=receiver.port), WORKSTATION, [ultrasound]),
    ):
        pass


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_nobody_there() -> None:
    with pytest.raises(PeerUnreachableError, match="is it running"):
        echo(PeerSettings(ae_title=NODE, port=closed_port()), WORKSTATION, limits=SHORT)


def test_somebody_there_who_says_nothing() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(PeerUnreachableError, match="is it running"),
    ):
        echo(PeerSettings(ae_title=NODE, port=server.getsockname()[1]), WORKSTATION, limits=SHORT)


@contextmanager
def the_only_place(peer: PeerSettings) -> Iterator[None]:
    """An association with a node that has room for one; the one by which it greeted itself may still be ending."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with open_association(peer, WORKSTATION, [build_context(CT, [EXPLICIT])]):
                yield
                return
        except PeerRefusedError:
            assert time.monotonic() < deadline, "the node stays full"
            time.sleep(0.05)


def test_a_busy_node_refuses_for_a_while(start_receiver: Callable[..., Receiver]) -> None:
    small = start_receiver(node={"max_associations": 1})
    peer = PeerSettings(ae_title=NODE, port=small.port)
    with the_only_place(peer), pytest.raises(PeerRefusedError, match="Local limit exceeded"):
        echo(peer, WORKSTATION)
