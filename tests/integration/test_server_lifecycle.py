"""The server as a whole: ready means it answered, a stop lets work finish, and nobody's name is in the log."""

import io
import json
import logging
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import pytest
import structlog
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from dicomnode.errors import PeerError, SettingsError
from dicomnode.network import echo
from dicomnode.observe import configure_logs
from dicomnode.settings import PeerSettings
from tests.fixtures.dicom_peer import (
    EXPLICIT,
    IMPLICIT,
    MARK,
    Encoded,
    Receiver,
    RudePeer,
    associated,
    encoded,
    sample,
    sample_dataset,
    send,
    store,
    with_pixels,
)


def test_start_returns_when_it_answers_and_stop_when_it_does_not(receiver: Receiver) -> None:
    port = receiver.port
    assert port != 0
    peer = PeerSettings(ae_title="NODE", port=port)
    assert echo(peer, "WORKSTATION") > 0
    receiver.server.stop()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=1):
        pass
    receiver.server.stop()
    receiver.server.start()
    assert send(receiver.port, sample()) == [0]


def test_it_listens_on_every_address_and_still_finds_itself(start_receiver: Callable[..., Receiver]) -> None:
    assert send(start_receiver(node={"host": "0.0.0.0"}).port, sample()) == [0]


def test_a_port_that_is_taken_is_named(receiver: Receiver, start_receiver: Callable[..., Receiver]) -> None:
    with pytest.raises(SettingsError, match=rf"node\.port: cannot listen on 127\.0\.0\.1:{receiver.port}"):
        start_receiver(node={"port": receiver.port})


def test_a_stop_lets_who_is_in_finish(receiver: Receiver) -> None:
    instances = [sample() for _ in range(5)]
    stopping = threading.Thread(target=receiver.server.stop, kwargs={"drain_s": 20})
    with associated(receiver.port, instances) as association:
        assert store(association, instances[0]).Status == 0
        stopping.start()
        time.sleep(0.3)
        assert [store(association, instance).Status for instance in instances[1:]] == [0] * 4
    stopping.join(10)
    assert not stopping.is_alive()
    assert len(receiver.instances()) == 5


def test_a_stop_does_not_wait_for_ever(receiver: Receiver) -> None:
    peer = RudePeer(receiver.port, sample())
    started = time.monotonic()
    receiver.server.stop(drain_s=0.2)
    assert time.monotonic() - started < 10
    assert peer.answer()[:1] in (b"\x07", b"")


def test_a_busy_node_is_at_home(start_receiver: Callable[..., Receiver]) -> None:
    node = start_receiver(node={"max_associations": 1})
    with associated(node.port, [sample()]) as only_place:
        assert only_place.is_established
        node.server.is_at_home()
    node.server.stop()
    with pytest.raises(PeerError):
        node.server.is_at_home()


def test_a_peer_can_report_a_storage_commitment_in_reversed_roles(receiver: Receiver) -> None:
    entity = AE("WORKSTATION")
    association = entity.associate(
        "127.0.0.1",
        receiver.port,
        contexts=[build_context(StorageCommitmentPushModel)],
        ae_title="NODE",
        ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)],
    )
    assert [context.as_scp for context in association.accepted_contexts] == [True]
    report = Dataset()
    report.TransactionUID = "1.2.3"
    report.ReferencedSOPSequence = []
    status, _ = association.send_n_event_report(
        report, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )
    association.release()
    nobody_asked = 0x0115
    assert status.Status == nobody_asked


def test_the_receiving_processes_import_no_torch() -> None:
    code = "import sys, dicomnode.server; sys.exit(any(m in sys.modules for m in ('torch', 'fusion', 'SimpleITK')))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Every line at the most talkative level."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, warnings.showwarning, threading.excepthook
    stream = io.StringIO()
    configure_logs("debug", json_lines=True, stream=stream)
    yield stream
    root.handlers[:], root.level, warnings.showwarning, threading.excepthook = before
    structlog.reset_defaults()


def test_a_marked_patient_reaches_no_log_line(logged: io.StringIO, start_receiver: Callable[..., Receiver]) -> None:
    node = start_receiver()
    whole = sample()
    dataset = with_pixels(sample_dataset(InstanceNumber=None, StudyDescription=MARK, PatientComments=MARK))
    broken = Encoded(whole.sop_class_uid, whole.sop_instance_uid, EXPLICIT, whole.dataset[:-9])
    mismatched = encoded(dataset, sop_instance_uid="1.2.3")
    odd = Encoded(
        whole.sop_class_uid, "1.2.3.4", EXPLICIT, whole.dataset.replace(b"19310203", b"Marked^P").replace(b"IS", b"ZZ")
    )
    version = with_pixels(sample_dataset(SOPInstanceUID=whole.sop_instance_uid))
    statuses = send(node.port, whole, broken, mismatched, odd, encoded(version), sample(transfer_syntax_uid=IMPLICIT))
    assert statuses == [0, 0xC000, 0xA900, 0xC000, 0xB000, 0]
    with associated(node.port, [whole], calling="STRANGER"):
        pass
    rude = RudePeer(node.port, whole)
    rude.send_command()
    rude.send_part(whole.dataset[:300])
    rude.abort()
    node.catalogue._database.dispose()
    node.server.stop()
    lines = logged.getvalue().splitlines()
    actions = {json.loads(line).get("action") for line in lines}
    assert {"association_accepted", "association_rejected", "instance_kept", "instance_refused"} <= actions
    for secret in ("Marked", "MARKED", "19310203"):
        assert [line for line in lines if secret in line] == []
    assert any(whole.sop_instance_uid in line for line in lines)


def test_an_unforeseen_failure_is_answered_and_its_words_are_not_logged(
    logged: io.StringIO, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(MARK)

    monkeypatch.setattr(receiver.catalogue, "add_instances", fail)
    instance = sample()
    assert send(receiver.port, instance) == [0x0110]
    monkeypatch.undo()
    assert send(receiver.port, instance) == [0]
    assert MARK not in logged.getvalue()
    assert "RuntimeError" in logged.getvalue()
