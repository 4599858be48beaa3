"""DICOMweb as a viewer and a script use it: dicomweb-client over a real socket, against what ingest kept."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, RLELossless
from requests import HTTPError

from dicomnode.answer.web import WebParts, WebServer
from dicomnode.observe.audit_trail import AuditTrail
from dicomnode.receive.file_format import received_in
from dicomnode.receive.ingest import Ingest
from dicomnode.receive.second_look import SecondLook
from dicomnode.settings import Settings, WebSettings
from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.migrate import upgrade
from storage.objects import ObjectStore
from storage.records import CaseState, DerivedInstance, Role
from storage.session import Database
from tests.fixtures.orthanc import free_port
from tests.fixtures.slices import write_slice, write_slices
from tests.fixtures.stored_records import NOON, case_result, derived_series, fusion_plan

SYNTAXES = [ExplicitVRLittleEndian, JPEGLSLossless, RLELossless]


@dataclass
class Node:
    """A node that answers over the web, and what it was given."""

    parts: WebParts
    url: str
    files: list[Path]
    clients: list[DICOMwebClient] = field(default_factory=list)

    def client(self, role: Role = Role.VIEWER) -> DICOMwebClient:
        """A script with a key."""
        name = f"key {len(self.clients)} of a {role.value}"
        secret, _ = self.parts.keys.add(name, role, ["dicomweb"], "test", None)
        self.clients.append(DICOMwebClient(self.url, headers={"Authorization": f"Bearer {secret}"}, timeout=120))
        return self.clients[-1]

    @property
    def study(self) -> str:
        """The one study."""
        return str(dcmread(self.files[0]).StudyInstanceUID)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    settings = Settings(web=WebSettings(port=free_port()))
    database = Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    upgrade(database)
    store, catalogue = ObjectStore(tmp_path / "objects"), Catalogue(database)
    take = SecondLook(Ingest(store, catalogue, settings), store, catalogue.aside)
    files = write_slices(tmp_path / "ct", 3) + [write_slice(tmp_path / "ct", s, 4 + k) for k, s in enumerate(SYNTAXES)]
    for file in files:
        take(_received(file))
    parts = WebParts(settings, database, store, AuditTrail.silent(), take=take)
    server = WebServer(parts)
    server.start()
    node = Node(parts, f"http://127.0.0.1:{server.port}/dicom-web", files)
    yield node
    for client in node.clients:
        client._session.close()
    server.stop()
    take.close()
    database.dispose()


def _received(file: Path) -> Any:
    """As it is in the file, whatever its transfer syntax."""
    return replace(received_in(file.read_bytes(), NOON), calling_ae_title="SCANNER", peer_address="127.0.0.1")


def test_queries(node: Node) -> None:
    client = node.client()
    (study,) = client.search_for_studies(search_filters={"PatientID": "P1"}, fields=["StudyID"])
    assert study["0020000D"]["Value"] == [node.study]
    assert study["00201208"]["Value"] == [len(node.files)]
    assert study["00080061"]["Value"] == ["CT"]
    assert study["00100010"]["Value"] == [{"Alphabetic": "Marked^Patient"}]
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
    (series,) = client.search_for_series(node.study)
    assert series["00201209"]["Value"] == [len(node.files)]
    instances = client.search_for_instances(node.study, limit=2, offset=1)
    assert [one["00200013"]["Value"] for one in instances] == [[2], [3]]
    assert [one["00280010"]["Value"] for one in instances] == [[16], [16]]
    with pytest.raises(HTTPError, match="400"):
        client.search_for_studies(search_filters={"limit": "many"})


def test_what_is_not_matched_is_said(node: Node) -> None:
    answer = node.client()._session.get(
        f"{node.url}/studies", params={"fuzzymatching": "true", "limit": "0", "StudyID": "7", "PatientName": "marked*"}
    )
    assert answer.json() == []
    assert "299" in answer.headers["Warning"]
    for word in ("uzzy", "StudyID", "more results"):
        assert word in answer.headers["Warning"]
    assert node.client()._session.get(f"{node.url}/studies", params={"NoKeyword": "1"}).status_code == 400


def test_instances_come_as_they_were_sent(node: Node) -> None:
    client = node.client()
    whole = client.retrieve_study(node.study, media_types=(("application/dicom", "*"),))
    assert {one.SOPInstanceUID: one.PixelData for one in whole} == {
        (file := dcmread(path)).SOPInstanceUID: file.PixelData for path in node.files
    }


def test_instances_come_uncompressed_unless_somebody_wants_more(node: Node) -> None:
    wanted = dcmread(node.files[-1])
    came = node.client().retrieve_instance(
        node.study, wanted.SeriesInstanceUID, wanted.SOPInstanceUID, media_types=("application/dicom",)
    )
    assert came.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert np.array_equal(came.pixel_array, wanted.pixel_array)


def test_headers_name_their_pixels(node: Node) -> None:
    client = node.client()
    headers = client.retrieve_study_metadata(node.study)
    assert len(headers) == len(node.files)
    address = headers[0]["7FE00010"]["BulkDataURI"]
    (pixels,) = client.retrieve_bulkdata(address)
    first = next(dcmread(path) for path in node.files if dcmread(path).InstanceNumber == 1)
    assert pixels == first.PixelData


@pytest.mark.parametrize("number", [1, 4, 5, 6])
def test_frames_come_as_stored_or_uncompressed(node: Node, number: int) -> None:
    client = node.client()
    wanted = next(dcmread(path) for path in node.files if dcmread(path).InstanceNumber == number)
    uids = (node.study, wanted.SeriesInstanceUID, wanted.SOPInstanceUID)
    path = f"{node.url}/studies/{uids[0]}/series/{uids[1]}/instances/{uids[2]}/frames/1"
    for syntax in ("*", ExplicitVRLittleEndian):
        accept = f'multipart/related; type="application/octet-stream"; transfer-syntax={syntax}'
        answer = client._session.get(path, headers={"Accept": accept})
        head, _, rest = answer.content.partition(b"\r\n\r\n")
        body = rest.rpartition(b"\r\n--")[0]
        own = wanted.file_meta.TransferSyntaxUID
        if syntax == "*" and own.is_encapsulated:
            assert own.encode() in head
            assert body.rstrip(b"\0") in wanted.PixelData
        else:
            assert np.array_equal(np.frombuffer(body, "<i2").reshape(16, 20), wanted.pixel_array)
    assert client._session.get(f"{path}0").status_code == 404
    assert client._session.get(f"{path}/rendered", headers={"Accept": "image/png"}).status_code == 200


def test_pictures(node: Node) -> None:
    client = node.client()
    wanted = next(dcmread(path) for path in node.files if dcmread(path).InstanceNumber == 1)
    uids = (node.study, wanted.SeriesInstanceUID, wanted.SOPInstanceUID)
    picture = client.retrieve_instance_rendered(*uids, media_types=("image/png",), params={"window": "60,100,linear"})
    shown = np.asarray(Image.open(io.BytesIO(picture)))
    values = wanted.pixel_array
    assert np.all(shown[values < 10] == 0)
    assert np.all(shown[values > 110] == 255)
    middle = (values > 12) & (values < 108)
    assert np.allclose(shown[middle], (values[middle] - 10) * 2.55, atol=4)
    answer = client._session.get(
        f"{node.url}/studies/{uids[0]}/series/{uids[1]}/instances/{uids[2]}/thumbnail?viewport=8,8"
    )
    assert max(Image.open(io.BytesIO(answer.content)).size) == 8


def test_instances_are_stored_each_with_its_answer(node: Node, tmp_path: Path) -> None:
    viewer, client = node.client(), node.client(Role.REVIEWER)
    new, old = dcmread(write_slice(tmp_path, number=9)), dcmread(node.files[0])
    with pytest.raises(HTTPError, match="403"):
        viewer.store_instances([new])
    answer = client.store_instances([new, old])
    assert {item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence} == {
        new.SOPInstanceUID,
        old.SOPInstanceUID,
    }
    assert "FailedSOPSequence" not in answer
    back = viewer.retrieve_instance(new.StudyInstanceUID, new.SeriesInstanceUID, new.SOPInstanceUID)
    assert back.PixelData == new.PixelData
    answer = client._session.post(
        f"{node.url}/studies/1.2.3",
        data=b"--x\r\nContent-Type: application/dicom\r\n\r\n"
        + node.files[0].read_bytes()
        + b"\r\n--x\r\n\r\nno file\r\n--x--",
        headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=x'},
    )
    assert answer.status_code == 409
    assert answer.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xC409]
    assert len(answer.json()["0008119A"]["Value"]) == 1
    assert client._session.post(f"{node.url}/studies", data=b"x").status_code == 400


def test_a_result_is_seen_only_while_it_is_accepted(node: Node, tmp_path: Path) -> None:
    fused = dcmread(write_slice(tmp_path, number=1))
    fused.StudyInstanceUID, fused.SeriesInstanceUID = node.study, "2.25.77"
    buffer = io.BytesIO()
    fused.save_as(buffer, enforce_file_format=True)
    stored = node.parts.store.put(buffer.getvalue())
    instance = DerivedInstance(fused.SOPInstanceUID, fused.SOPClassUID, ExplicitVRLittleEndian, stored)
    series = replace(
        derived_series(), series_instance_uid="2.25.77", study_instance_uid=node.study, instances=(instance,)
    )
    cases, client = Cases(node.parts.database), node.client()
    cases.open(fusion_plan(), "key", CaseState.QUEUED, "test", "test")
    claim = cases.claim("worker", 60, NOON)
    assert claim is not None
    cases.record_result(claim, case_result(series), CaseState.REVIEW, "judged", [])
    assert len(client.search_for_series(node.study)) == 1
    with pytest.raises(HTTPError, match="404"):
        client.retrieve_series(node.study, "2.25.77")
    cases.approve(fusion_plan().key, [], "test", "good")
    assert [one.SOPInstanceUID for one in client.retrieve_series(node.study, "2.25.77")] == [fused.SOPInstanceUID]
    cases.withdraw(fusion_plan().key, "test", "wrong")
    with pytest.raises(HTTPError, match="404"):
        client.retrieve_series(node.study, "2.25.77")


def test_nobody_sees_anything_without_a_key(node: Node) -> None:
    with pytest.raises(HTTPError, match="401"):
        DICOMwebClient(node.url).search_for_studies()
