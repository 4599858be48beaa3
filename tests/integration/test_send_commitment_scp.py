"""Storage commitment as SCP: what peers are told about what they sent, over real associations."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from dicomnode.send.commitment_reports import CommitmentReports
from storage.records import CommitmentState
from tests.fixtures.dicom_peer import CT, WORKSTATION, Encoded, Receiver, sample, send
from tests.fixtures.orthanc import Orthanc, free_port

MR = "1.2.840.10008.5.1.4.1.1.4"
WAIT_S = 60


@dataclass
class Asker:
    """A workstation that asks, and hears reports on an acceptor of its own or on the association on which it asked."""

    port: int
    answers: list[int] = field(default_factory=list)
    reports: list[tuple[int, Dataset]] = field(default_factory=list)
    heard: threading.Event = field(default_factory=threading.Event)

    def ask(
        self, port: int, *references: tuple[str, str], uid: str = "", action: int = 1, stay_s: float = 0
    ) -> tuple[str, int]:
        """The Transaction UID and the status with which the request was answered."""
        wanted = Dataset()
        wanted.TransactionUID = uid or generate_uid()
        wanted.ReferencedSOPSequence = [_reference(*reference) for reference in references]
        entity = AE(WORKSTATION)
        association = entity.associate(
            "127.0.0.1",
            port,
            contexts=[build_context(StorageCommitmentPushModel)],
            ae_title="NODE",
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.on_report)],
        )
        assert association.is_established
        answer, _ = association.send_n_action(
            wanted, action, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        if stay_s:
            assert self.heard.wait(stay_s)
        association.release()
        return str(wanted.TransactionUID), int(answer.Status)

    def on_report(self, event: Any) -> tuple[int, None]:
        status = self.answers.pop(0) if self.answers else 0
        if status == 0:
            self.reports.append((event.event_type, event.event_information))
            self.heard.set()
        return status, None

    def report(self) -> tuple[int, Dataset]:
        assert self.heard.wait(WAIT_S), "no report came"
        (only,) = self.reports
        return only


def _reference(sop_class: str, uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
    return item


def of(*instances: Encoded) -> list[tuple[str, str]]:
    return [(instance.sop_class_uid, instance.sop_instance_uid) for instance in instances]


def reasons(report: Dataset) -> dict[str, int]:
    return {str(item.ReferencedSOPInstanceUID): int(item.FailureReason) for item in report.get("FailedSOPSequence", [])}


def committed(report: Dataset) -> list[str]:
    return [str(item.ReferencedSOPInstanceUID) for item in report.get("ReferencedSOPSequence", [])]


@pytest.fixture
def asker() -> Asker:
    return Asker(free_port())


@pytest.fixture
def listening(asker: Asker) -> Iterator[Asker]:
    """The workstation with its acceptor open."""
    entity = AE(WORKSTATION)
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    server = entity.start_server(
        ("127.0.0.1", asker.port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, asker.on_report)]
    )
    yield asker
    server.shutdown()


def node_for(start: Callable[..., Receiver], asker: Asker, **more: Any) -> Receiver:
    return start(peers={"workstation": {"ae_title": WORKSTATION, "port": asker.port, **more}})


def test_everything_held_is_committed_on_a_new_association(
    start_receiver: Callable[..., Receiver], listening: Asker
) -> None:
    node = node_for(start_receiver, listening)
    instances = [sample(), sample()]
    assert send(node.port, *instances) == [0, 0]
    transaction, status = listening.ask(node.port, *of(*instances))
    kind, report = listening.report()
    assert (status, kind, report.TransactionUID) == (0, 1, transaction)
    assert committed(report) == [instance.sop_instance_uid for instance in instances]
    assert "FailedSOPSequence" not in report


def test_each_failure_has_its_reason(start_receiver: Callable[..., Receiver], listening: Asker) -> None:
    node = node_for(start_receiver, listening)
    good, damaged, other_class = sample(), sample(), sample()
    send(node.port, good, damaged, other_class)
    path = node.objects.path(node.instances()[damaged.sop_instance_uid].stored.digest)
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:-2] + b"!!")
    listening.ask(node.port, *of(good, damaged), (MR, other_class.sop_instance_uid), (CT, "1.2.3.404"))
    kind, report = listening.report()
    assert kind == 2
    assert committed(report) == [good.sop_instance_uid]
    assert reasons(report) == {
        damaged.sop_instance_uid: 0x0110,
        other_class.sop_instance_uid: 0x0119,
        "1.2.3.404": 0x0112,
    }


def test_the_report_comes_on_the_same_association_where_that_is_set(
    start_receiver: Callable[..., Receiver], asker: Asker
) -> None:
    node = node_for(start_receiver, asker, commitment_report="same")
    instance = sample()
    send(node.port, instance)
    asker.ask(node.port, *of(instance), stay_s=WAIT_S)  # nobody listens anywhere else
    kind, report = asker.report()
    assert (kind, committed(report)) == (1, [instance.sop_instance_uid])


def test_a_report_that_is_refused_is_made_again_also_after_a_restart(
    start_receiver: Callable[..., Receiver], listening: Asker
) -> None:
    node = node_for(start_receiver, listening)
    listening.answers = [0x0110]
    request = None
    instance = sample()
    send(node.port, instance)
    transaction, _ = listening.ask(node.port, *of(instance))
    later = datetime.now(UTC) + timedelta(hours=1)
    tried = threading.Event()
    for _ in range(600):
        (request,) = node.commitments.due(later)
        if request.attempts:
            break
        tried.wait(0.05)
    assert request is not None
    assert request.attempts == 1
    assert "0x0110" in request.last_error
    assert node.commitments.due(datetime.now(UTC)) == ()  # with patience

    restarted = CommitmentReports(node.settings, node.commitments, node.catalogue, node.objects)
    assert restarted.run_once(later) == 1
    assert listening.report()[1].TransactionUID == transaction
    assert node.commitments.get(request.request_id).state is CommitmentState.REPORTED
    assert restarted.run_once(later) == 0


def test_who_may_not_ask_and_what_makes_no_sense_is_refused(
    start_receiver: Callable[..., Receiver], asker: Asker
) -> None:
    node = node_for(start_receiver, asker)
    assert asker.ask(node.port)[1] == 0x0115
    assert asker.ask(node.port, (CT, "1.2.3"), action=2)[1] == 0x0123
    uid, status = asker.ask(node.port, (CT, "1.2.3"))
    assert status == 0
    assert asker.ask(node.port, (CT, "1.2.3"), uid=uid)[1] == 0  # the same once more
    assert asker.ask(node.port, (CT, "1.2.4"), uid=uid)[1] == 0x0115
    strict = node_for(start_receiver, asker, commitment_report="refuse")
    assert asker.ask(strict.port, (CT, "1.2.3"))[1] == 0x0124


@pytest.mark.pacs
def test_orthanc_asks_and_is_told(start_receiver: Callable[..., Receiver], orthanc: Orthanc) -> None:
    node = start_receiver(
        peers={
            "workstation": {"ae_title": WORKSTATION},
            "pacs": {"ae_title": orthanc.ae_title, "port": orthanc.port},
        }
    )
    orthanc.add_modality("node", "NODE", node.port)
    instance = sample()
    send(node.port, instance)
    asked = orthanc.request(
        "POST",
        "/modalities/node/storage-commitment",
        {"DicomInstances": [[CT, instance.sop_instance_uid], [CT, "1.2.3.404"]]},
    )
    told: dict[str, Any] = {}
    waiting = threading.Event()
    for _ in range(600):
        told = orthanc.get(asked["Path"])
        if told["Status"] != "Pending":
            break
        waiting.wait(0.1)
    assert told["Status"] == "Failure"
    assert [item["SOPInstanceUID"] for item in told["Success"]] == [instance.sop_instance_uid]
    assert [(item["SOPInstanceUID"], item["FailureReason"]) for item in told["Failures"]] == [("1.2.3.404", 0x0112)]
