"""The sender and the query against a real Orthanc."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.uid import JPEGLSLossless
from pynetdicom import AE

from dicomnode.errors import PeerUnreachableError, SettingsError
from dicomnode.network.find import find
from dicomnode.send.outbox import Sender
from dicomnode.send.storage_commitment import add_contexts, handlers
from dicomnode.send.storage_scu import send_files
from dicomnode.settings import NodeSettings, PeerSettings, SendingSettings, Settings
from storage.records import CaseState, DeliveryState
from tests.fixtures.dcmtk import storescu
from tests.fixtures.deliveries import Ledger
from tests.fixtures.orthanc import Orthanc
from tests.fixtures.slices import write_slice, write_slices

pytestmark = pytest.mark.pacs


def later(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def peer_of(orthanc: Orthanc, *, storage_commitment: bool = False) -> PeerSettings:
    return PeerSettings(ae_title=orthanc.ae_title, port=orthanc.port, storage_commitment=storage_commitment)


def sender(ledger: Ledger, orthanc: Orthanc, *, storage_commitment: bool = False) -> Sender:
    return Sender(
        Settings(
            node=NodeSettings(ae_title="NODE", dimse_timeout_s=10, acse_timeout_s=10),
            peers={"pacs": peer_of(orthanc, storage_commitment=storage_commitment)},
            sending=SendingSettings(first_retry_s=10, longest_retry_s=100),
        ),
        ledger.outbox,
        ledger.store,
    )


def wait_until(condition: Callable[[], bool], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def uids(files: list[Path]) -> list[str]:
    return sorted(str(dcmread(path).SOPInstanceUID) for path in files)


@pytest.fixture
def reporting_to(ledger: Ledger, orthanc: Orthanc) -> Iterator[Ledger]:
    """The ledger behind an acceptor of ours, which Orthanc knows and reports to."""
    node = AE("NODE")
    add_contexts(node)
    server = node.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers(ledger.outbox))
    orthanc.add_modality("node", "NODE", server.server_address[1])
    yield ledger
    server.shutdown()


def test_commitment_comes_on_an_association_of_orthanc(reporting_to: Ledger, orthanc: Orthanc, tmp_path: Path) -> None:
    ledger = reporting_to
    files = write_slices(tmp_path / "series")
    case = ledger.deliver(files, "pacs")
    sender(ledger, orthanc, storage_commitment=True).run_once(later(1))
    wait_until(lambda: ledger.state(case) is CaseState.DELIVERED)
    assert ledger.delivery(case).state is DeliveryState.COMMITTED
    assert orthanc.instance_uids() == uids(files)


def test_what_orthanc_has_lost_is_sent_again(reporting_to: Ledger, orthanc: Orthanc, tmp_path: Path) -> None:
    ledger = reporting_to
    files = write_slices(tmp_path / "series")
    lost = uids(files)[2]
    case = ledger.deliver(files, "pacs")
    # Sent and waiting for the report; the instance is lost before the question is put again.
    delivery = ledger.delivery(case)
    send_files(peer_of(orthanc), "NODE", [ledger.store.path(i.stored.digest) for i in delivery.series.instances])
    ledger.outbox.sent(delivery.delivery_id, "1.2.3.4", later(0))
    orthanc.delete_instance(lost)
    one = sender(ledger, orthanc, storage_commitment=True)
    one.run_once(later(1))
    wait_until(lambda: ledger.delivery(case).state is DeliveryState.PENDING)
    assert "0x0112" in ledger.delivery(case).refused[lost]
    assert list(ledger.delivery(case).refused) == [lost]
    one.run_once(later(600))
    wait_until(lambda: ledger.state(case) is CaseState.DELIVERED)
    assert orthanc.instance_uids() == uids(files)


def test_the_same_series_twice_is_there_once(ledger: Ledger, orthanc: Orthanc, tmp_path: Path) -> None:
    files = write_slices(tmp_path / "series")
    first, second = ledger.deliver(files, "pacs", case="1"), ledger.deliver(files, "pacs", case="2")
    sender(ledger, orthanc).run_once(later(1))
    assert ledger.state(first) is ledger.state(second) is CaseState.DELIVERED
    assert orthanc.instance_uids() == uids(files)


def test_orthanc_is_killed_and_started_again(ledger: Ledger, orthanc: Orthanc, tmp_path: Path) -> None:
    files = write_slices(tmp_path / "series", 40)
    case = ledger.deliver(files, "pacs")
    one = sender(ledger, orthanc)
    one.start()
    wait_until(lambda: len(orthanc.instance_uids()) > 3)
    orthanc.kill()
    one.stop()
    assert ledger.state(case) is CaseState.DELIVERING
    orthanc.start()
    sender(ledger, orthanc).run_once(later(60))
    assert ledger.state(case) is CaseState.DELIVERED
    assert orthanc.instance_uids() == uids(files)


def test_orthanc_gets_a_compressed_image_as_it_is(orthanc: Orthanc, tmp_path: Path) -> None:
    path = write_slice(tmp_path, JPEGLSLossless)
    assert send_files(peer_of(orthanc), "NODE", [path]).complete
    (uid,) = orthanc.instance_uids()
    kept = dcmread(DicomBytesIO(orthanc.file(uid)))
    assert kept.file_meta.TransferSyntaxUID == JPEGLSLossless
    assert kept.PixelData == dcmread(path).PixelData
    assert np.array_equal(kept.pixel_array, dcmread(path).pixel_array)


def test_find_at_each_level(orthanc: Orthanc, tmp_path: Path) -> None:
    files = write_slices(tmp_path / "series", 3)
    assert storescu(orthanc.port, orthanc.ae_title, files).returncode == 0
    peer = peer_of(orthanc)
    (patient,) = find(peer, "NODE", "PATIENT", {})
    assert patient["PatientID"] == "P1"
    (study,) = find(peer, "NODE", "STUDY", {"PatientID": "P1", "StudyDate": ""})
    assert study["NumberOfStudyRelatedInstances"] == "3"
    assert study["ModalitiesInStudy"] == "CT"
    assert find(peer, "NODE", "STUDY", {"PatientID": "P2"}) == []
    (series,) = find(peer, "NODE", "SERIES", {"StudyInstanceUID": study["StudyInstanceUID"], "Modality": "CT"})
    images = find(
        peer,
        "NODE",
        "IMAGE",
        {"StudyInstanceUID": study["StudyInstanceUID"], "SeriesInstanceUID": series["SeriesInstanceUID"]},
    )
    assert sorted(image["SOPInstanceUID"] for image in images) == uids(files)


def test_a_query_that_makes_no_sense_is_refused_before_it_is_sent() -> None:
    nobody = PeerSettings(ae_title="NOBODY", port=1)
    with pytest.raises(SettingsError, match="STUDY"):
        find(nobody, "NODE", "SLICE", {})
    with pytest.raises(SettingsError, match="'PatientNmae'"):
        find(nobody, "NODE", "STUDY", {"PatientNmae": ""})
    with pytest.raises(PeerUnreachableError):
        find(nobody, "NODE", "STUDY", {})
