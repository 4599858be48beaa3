"""Peers that lie, stop, flood or speak another language: the node answers what can be answered and goes on."""

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context
from pynetdicom.sop_class import StorageCommitmentPushModel

from dicomnode.network.echo import echo
from dicomnode.receive import arriving
from dicomnode.settings import PeerSettings
from tests.fixtures.dicom_peer import (
    CT,
    EXPLICIT,
    IMPLICIT,
    NODE,
    WORKSTATION,
    Receiver,
    RudePeer,
    associated,
    encode_dataset,
    sample,
    send,
    store,
)

P_DATA, ABORT = b"\x04", b"\x07"
SILENT = 150


def command(field: int, *, data_set: bool = False) -> bytes:
    """A command set of any kind."""
    body = Dataset()
    body.CommandGroupLength = 0
    body.AffectedSOPClassUID = CT
    body.CommandField, body.MessageID = field, 7
    body.CommandDataSetType = 0 if data_set else 0x0101
    return encode_dataset(body, IMPLICIT)


def element(answer: bytes, number: int) -> int:
    """A US element of the command set in a PDU."""
    at = answer.index(struct.pack("<HHL", 0, number, 2))
    return int(struct.unpack_from("<H", answer, at + 8)[0])


def alive(receiver: Receiver) -> float:
    """Seconds that a C-ECHO takes."""
    return echo(PeerSettings(ae_title=NODE, host="127.0.0.1", port=receiver.port), WORKSTATION)


def connected(receiver: Receiver) -> socket.socket:
    return socket.create_connection(("127.0.0.1", receiver.port), timeout=20)


def ending(connection: socket.socket) -> bytes:
    """What comes until the other side hangs up."""
    parts = []
    try:
        while part := connection.recv(4096):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("kind", [0x01, 0x02, 0x04, 0x05, 0x07])
def test_four_gigabytes_are_announced_and_refused_at_once(receiver: Receiver, kind: int) -> None:
    with connected(receiver) as connection:
        connection.sendall(struct.pack(">BxL", kind, 0xFFFFFFF0) + bytes(1000))
        assert ending(connection)[:1] in (b"", ABORT)
    peer = RudePeer(receiver.port, sample())
    assert peer.accepted
    peer.send_bytes(struct.pack(">BxL", kind, 0xFFFFFFF0))
    assert peer.answer()[:1] == ABORT
    assert alive(receiver) < 10


@pytest.mark.parametrize("noise", [os.urandom(4096), b"GET / HTTP/1.1\r\nHost: node\r\n\r\n", b"\x04" * 64])
def test_what_is_no_dicom_is_closed(receiver: Receiver, noise: bytes) -> None:
    with connected(receiver) as connection:
        connection.sendall(noise)
        ending(connection)
    assert alive(receiver) < 10


def test_silent_connections_keep_nobody_out(receiver: Receiver) -> None:
    silent = [connected(receiver) for _ in range(SILENT)]
    try:
        assert alive(receiver) < 10
        assert send(receiver.port, sample()) == [0]
    finally:
        for connection in silent:
            connection.close()


def test_silent_connections_are_dropped(start_receiver: Callable[..., Receiver]) -> None:
    receiver = start_receiver(node={"acse_timeout_s": 1})
    with connected(receiver) as connection:
        began = time.monotonic()
        ending(connection)
        assert time.monotonic() - began < 15


def test_an_operation_that_is_not_ours_is_answered_so(receiver: Receiver) -> None:
    peer = RudePeer(receiver.port, sample())
    for field in (0x0020, 0x0021, 0x0110):
        peer.send_fragments((1, 0x03, command(field)))
        answer = peer.answer()
        assert answer[:1] == P_DATA
        assert element(answer, 0x0100) == field | 0x8000
        assert element(answer, 0x0900) == 0x0211
    peer.send_fragments((1, 0x03, command(0x0FFF)))  # C-CANCEL has no answer
    peer.send_fragments((1, 0x03, command(0x0030)))
    assert element(peer.answer(), 0x0100) == 0x8030
    peer.hang_up()


def test_a_message_may_come_in_any_pieces(receiver: Receiver) -> None:
    instance = sample()
    peer = RudePeer(receiver.port, instance)
    whole = Dataset()
    whole.CommandGroupLength = 0
    whole.AffectedSOPClassUID = instance.sop_class_uid
    whole.CommandField, whole.MessageID, whole.Priority, whole.CommandDataSetType = 1, 1, 0, 1
    whole.AffectedSOPInstanceUID = instance.sop_instance_uid
    said, half = encode_dataset(whole, IMPLICIT), len(instance.dataset) // 2
    peer.send_fragments((1, 0x01, said[:10]), (1, 0x03, said[10:]), (1, 0x00, instance.dataset[:half]))
    for at in range(half, len(instance.dataset) - 1):
        peer.send_fragments((1, 0x00, instance.dataset[at : at + 1]))
    peer.send_fragments((1, 0x00, b""), (1, 0x02, instance.dataset[-1:]), (1, 0x03, command(0x0030)))
    assert element(peer.answer(), 0x0900) == 0
    assert element(peer.answer(), 0x0100) == 0x8030
    assert receiver.kept(instance.sop_instance_uid).endswith(instance.dataset)
    peer.hang_up()


@pytest.mark.parametrize(
    "fragments",
    [
        ((3, 0x03, command(0x0030)),),  # no such context
        ((1, 0x02, b"data"),),  # a data set without a command
        ((1, 0x03, command(0x0001, data_set=True)), (1, 0x03, command(0x0030))),  # a command where data must come
        ((1, 0x03, b"\x01\x00\x00\x00"),),  # no command set
        ((1, 0x03, command(0x0030)[:-1]),),
        ((1, 0x01, bytes(70_000)),),
    ],
    ids=["context", "no command", "two commands", "garbage", "cut", "endless"],
)
def test_what_breaks_the_protocol_ends_the_association_alone(
    receiver: Receiver, fragments: tuple[tuple[int, int, bytes], ...]
) -> None:
    peer = RudePeer(receiver.port, sample())
    peer.send_fragments(*fragments)
    assert peer.answer()[:1] == ABORT
    assert alive(receiver) < 10
    assert receiver.instances() == {}


def test_values_that_do_not_fit_their_pdu_end_the_association(receiver: Receiver) -> None:
    for value in (struct.pack(">LBB", 500, 1, 3), struct.pack(">LBB", 1, 1, 3), b"\0\0\0"):
        peer = RudePeer(receiver.port, sample())
        peer.send_bytes(struct.pack(">BxL", 0x04, len(value)) + value)
        assert peer.answer()[:1] == ABORT


def test_a_large_instance_goes_to_disk_while_it_arrives(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(arriving, "MEMORY_BYTES", 1000)
    instances = [sample(rows=40, columns=40), sample(rows=4, columns=4), sample(rows=64, columns=64)]
    assert send(receiver.port, *instances) == [0, 0, 0]
    for instance in instances:
        assert receiver.kept(instance.sop_instance_uid).endswith(instance.dataset)
    assert not list(receiver.settings.storage.path.glob("objects/incoming/*"))
    assert send(receiver.port, *instances) == [0, 0, 0]


def test_what_is_too_large_is_refused_and_the_association_lives(start_receiver: Callable[..., Receiver]) -> None:
    receiver = start_receiver(node={"max_instance_bytes": 5000})
    small, large = sample(), sample(rows=200, columns=200)
    assert send(receiver.port, large, small, large) == [0xA700, 0, 0xA700]
    assert list(receiver.instances()) == [small.sop_instance_uid]


def test_a_disk_that_is_full_while_a_large_instance_arrives(
    start_receiver: Callable[..., Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arriving, "MEMORY_BYTES", 1000)
    receiver = start_receiver(storage={"reserve_bytes": 2**62})
    assert send(receiver.port, sample(rows=64, columns=64), sample(rows=64, columns=64)) == [0xA700, 0xA700]
    assert receiver.instances() == {}


def test_an_association_that_also_wants_commitment_stores_all_the_same(receiver: Receiver) -> None:
    instance = sample()
    entity = AE(WORKSTATION)
    contexts = [build_context(CT, [EXPLICIT]), build_context(StorageCommitmentPushModel)]
    association = entity.associate("127.0.0.1", receiver.port, contexts=contexts, ae_title=NODE)
    try:
        assert {str(context.abstract_syntax) for context in association.accepted_contexts} == {
            CT,
            str(StorageCommitmentPushModel),
        }
        assert store(association, instance).Status == 0
    finally:
        association.release()
    assert list(receiver.instances()) == [instance.sop_instance_uid]


def test_the_way_of_the_library_gives_the_same_answers(start_receiver: Callable[..., Receiver]) -> None:
    receiver = start_receiver(node={"receiver": "pynetdicom"})
    whole, cut = sample(), sample()
    with associated(receiver.port, [whole]) as association:
        assert store(association, whole).Status == 0
        broken = type(cut)(cut.sop_class_uid, cut.sop_instance_uid, cut.transfer_syntax_uid, cut.dataset[:-9])
        assert store(association, broken).Status == 0xC000
        assert store(association, whole).Status == 0
    assert list(receiver.instances()) == [whole.sop_instance_uid]


def test_many_short_associations(receiver: Receiver) -> None:
    """Some senders open one for each instance."""
    instances = [sample() for _ in range(24)]
    failed: list[BaseException] = []

    def sender(mine: list[object]) -> None:
        try:
            for instance in mine:
                assert send(receiver.port, instance) == [0]  # type: ignore[arg-type]
        except BaseException as error:  # noqa: BLE001 - a thread's failure is the test's
            failed.append(error)

    threads = [threading.Thread(target=sender, args=(instances[k::4],)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    assert len(receiver.instances()) == len(instances)


@pytest.fixture(scope="module")
def shared_stream() -> bytes:
    """What a well-behaved peer sends after its association was accepted."""
    instance = sample()
    parts = [(1, 0x03, command(0x0030)), (1, 0x03, command(0x0001, data_set=True)), (1, 0x02, instance.dataset)]
    stream = b""
    for context, control, part in parts:
        stream += struct.pack(">BxLLBB", 4, len(part) + 6, len(part) + 2, context, control) + part
    return stream + struct.pack(">BxLL", 5, 4, 0)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=12),
    cut=st.integers(0, 10_000),
    again=st.booleans(),
)
def test_no_stream_of_bytes_brings_the_node_down(
    receiver: Receiver, shared_stream: bytes, changes: list[tuple[int, int]], cut: int, again: bool
) -> None:
    stream = bytearray(shared_stream)
    for at, value in changes:
        stream[at % len(stream)] = value
    del stream[cut % (len(stream) + 1) :]
    before = threading.active_count()
    peer = RudePeer(receiver.port, sample())
    assert peer.accepted
    with contextlib.suppress(OSError):  # it may have hung up already, which is an answer
        peer.send_bytes(bytes(stream) * (2 if again else 1))
    peer.hang_up()
    deadline = time.monotonic() + 20
    while (receiver.server.busy or threading.active_count() > before) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert receiver.server.busy == 0
    assert threading.active_count() <= before
