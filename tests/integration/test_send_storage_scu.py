"""C-STORE over real sockets to a PACS in this process."""

import threading
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    SpatialRegistrationStorage,
    generate_uid,
)
from pynetdicom.presentation import StoragePresentationContexts
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class

from dicomnode.errors import PeerRefusedError, PeerUnreachableError
from dicomnode.network.association import Limits
from dicomnode.send.storage_scu import Outcome, send_files
from tests.fixtures.slices import write_slice, write_slices
from tests.fixtures.small_pacs import HANG_UP, Arrival, SmallPacs


def write_registration(folder: Path) -> Path:
    """An object without pixels."""
    dataset = Dataset()
    dataset.SOPClassUID = SpatialRegistrationStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = "REG"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / "registration.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def uid_of(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def data_set_bytes(path: Path) -> bytes:
    """The file without preamble and file meta."""
    content = path.read_bytes()
    group_length = int.from_bytes(content[140:144], "little")
    return content[144 + group_length :]


def decoded(arrival: Arrival, folder: Path) -> Dataset:
    """What arrived, as pydicom reads it."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(arrival.transfer_syntax_uid)
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(arrival.sop_instance_uid)
    path = folder / "arrived.dcm"
    empty = Dataset()
    empty.file_meta = meta
    empty.save_as(path, enforce_file_format=True)
    path.write_bytes(path.read_bytes() + arrival.dataset)
    return dcmread(path)


def test_a_series_arrives_byte_for_byte_over_one_association(small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.start([CTImageStorage])
    files = write_slices(tmp_path)
    seen: list[tuple[int, int]] = []
    report = send_files(small_pacs.peer(), "NODE", files, lambda done, total: seen.append((done, total)))
    assert report.complete
    assert report.stored == 5
    assert [status.path for status in report.instances] == files
    assert seen == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert len({arrival.association for arrival in small_pacs.arrivals}) == 1
    assert [arrival.dataset for arrival in small_pacs.arrivals] == [data_set_bytes(path) for path in files]


@pytest.mark.parametrize("own", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless, JPEGLSLossless])
@pytest.mark.parametrize("accepted", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_peer_without_the_files_syntax_gets_the_same_image_in_one_that_it_has(
    small_pacs: SmallPacs, tmp_path: Path, own: UID, accepted: UID
) -> None:
    small_pacs.start([CTImageStorage], [accepted])
    path = write_slice(tmp_path, own)
    (status,) = send_files(small_pacs.peer(), "NODE", [path]).instances
    assert (status.outcome, status.transfer_syntax_uid) == (Outcome.STORED, accepted)
    (arrival,) = small_pacs.arrivals
    assert arrival.transfer_syntax_uid == accepted
    image, original = decoded(arrival, tmp_path), dcmread(path)
    assert image.SOPInstanceUID == original.SOPInstanceUID
    assert image.PatientID == "P1"
    assert np.array_equal(image.pixel_array, original.pixel_array)


def test_own_syntax_goes_first_even_where_the_peer_would_take_all(small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.start([CTImageStorage])
    path = write_slice(tmp_path, JPEGLSLossless)
    send_files(small_pacs.peer(), "NODE", [path])
    assert small_pacs.arrivals[0].dataset == data_set_bytes(path)


def test_the_peers_syntaxes_are_the_order_and_the_limit(small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.start([CTImageStorage, SpatialRegistrationStorage])
    image, registration = write_slice(tmp_path), write_registration(tmp_path)
    peer = small_pacs.peer(transfer_syntaxes=("JPEGLSLossless", "1.2.840.10008.1.2"))
    assert send_files(peer, "NODE", [image, registration]).complete
    # Nothing to compress in the registration, so that it takes the next one.
    assert [arrival.transfer_syntax_uid for arrival in small_pacs.arrivals] == [JPEGLSLossless, ImplicitVRLittleEndian]
    assert np.array_equal(decoded(small_pacs.arrivals[0], tmp_path).pixel_array, dcmread(image).pixel_array)


def test_what_nothing_can_carry_is_refused_and_the_others_go(small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.start([CTImageStorage], [ExplicitVRLittleEndian])
    broken = write_slice(tmp_path, JPEGBaseline8Bit, number=1)
    big_endian = write_slice(tmp_path, ExplicitVRBigEndian, number=2)
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    good = write_slice(tmp_path, number=3)
    report = send_files(small_pacs.peer(), "NODE", [broken, text, big_endian, good])
    assert set(report.refused) == {uid_of(broken), uid_of(big_endian), str(text)}
    assert "cannot be written" in report.refused[uid_of(broken)]
    assert "no DICOM file" in report.refused[str(text)]
    assert list(small_pacs.stored) == [uid_of(good)]


def test_a_refused_instance_does_not_stop_the_others(small_pacs: SmallPacs, tmp_path: Path) -> None:
    files = write_slices(tmp_path)
    bad = uid_of(files[2])
    small_pacs.answer = lambda arrival: 0xA900 if arrival.sop_instance_uid == bad else 0
    small_pacs.error_comment = "no such patient"
    small_pacs.start([CTImageStorage])
    report = send_files(small_pacs.peer(), "NODE", files)
    assert not report.complete
    assert list(report.refused) == [bad]
    assert "0xA900" in report.refused[bad]
    assert "no such patient" in report.refused[bad]
    assert len(small_pacs.stored) == 4


def test_a_warning_counts_as_stored_and_is_kept(small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.answer = lambda _: 0xB000
    small_pacs.start([CTImageStorage])
    report = send_files(small_pacs.peer(), "NODE", write_slices(tmp_path, 1))
    assert report.complete
    assert report.instances[0].outcome is Outcome.WARNED
    assert "0xB000" in report.instances[0].message


def test_a_hang_up_costs_nothing_but_a_new_association(small_pacs: SmallPacs, tmp_path: Path) -> None:
    hung_up: list[str] = []

    def answer(arrival: Arrival) -> int:
        if len(small_pacs.arrivals) == 3:
            hung_up.append(arrival.sop_instance_uid)
            return HANG_UP
        return 0

    small_pacs.answer = answer
    small_pacs.start([CTImageStorage])
    files = write_slices(tmp_path)
    assert send_files(small_pacs.peer(), "NODE", files).complete
    assert hung_up == [uid_of(files[2])]
    assert list(small_pacs.stored) == [uid_of(path) for path in files]


def test_an_instance_over_which_the_peer_always_hangs_up_is_refused(small_pacs: SmallPacs, tmp_path: Path) -> None:
    files = write_slices(tmp_path)
    bad = uid_of(files[1])
    small_pacs.answer = lambda arrival: HANG_UP if arrival.sop_instance_uid == bad else 0
    small_pacs.start([CTImageStorage])
    report = send_files(small_pacs.peer(), "NODE", files)
    assert list(report.refused) == [bad]
    assert len(small_pacs.stored) == 4


def test_a_peer_that_always_hangs_up_is_unreachable(small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.answer = lambda _: HANG_UP
    small_pacs.start([CTImageStorage])
    with pytest.raises(PeerUnreachableError, match="without an answer"):
        send_files(small_pacs.peer(), "NODE", write_slices(tmp_path))


def test_a_peer_that_takes_some_and_then_always_hangs_up_gets_the_rest_later(
    small_pacs: SmallPacs, tmp_path: Path
) -> None:
    small_pacs.answer = lambda _: 0 if len(small_pacs.arrivals) <= 2 else HANG_UP
    small_pacs.start([CTImageStorage])
    files = write_slices(tmp_path, 8)
    report = send_files(small_pacs.peer(), "NODE", files)
    assert list(small_pacs.stored) == [uid_of(path) for path in files[:2]]
    assert list(report.refused) == [uid_of(path) for path in files[2:]]
    assert "not sent" in report.refused[uid_of(files[-1])]
    assert not report.interrupted


def test_nobody_there_is_unreachable(small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.start([CTImageStorage])
    peer = small_pacs.peer()
    small_pacs.stop()
    with pytest.raises(PeerUnreachableError, match=f"SMALLPACS.*{peer.port}"):
        send_files(peer, "NODE", write_slices(tmp_path, 1))


def test_a_peer_that_takes_no_such_class_refuses(small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.start([SpatialRegistrationStorage])
    with pytest.raises(PeerRefusedError):
        send_files(small_pacs.peer(), "NODE", write_slices(tmp_path, 1))


def test_no_answer_in_time_is_unreachable(small_pacs: SmallPacs, tmp_path: Path) -> None:
    released = threading.Event()

    def answer(arrival: Arrival) -> int:
        released.wait(20)
        return 0

    small_pacs.answer = answer
    small_pacs.start([CTImageStorage])
    with pytest.raises(PeerUnreachableError):
        send_files(small_pacs.peer(), "NODE", write_slices(tmp_path), limits=Limits(dimse_timeout_s=0.3))
    released.set()


def test_it_stops_between_two_instances(small_pacs: SmallPacs, tmp_path: Path) -> None:
    small_pacs.start([CTImageStorage])
    report = send_files(
        small_pacs.peer(), "NODE", write_slices(tmp_path), should_stop=lambda: len(small_pacs.stored) >= 2
    )
    assert report.interrupted
    assert not report.complete
    assert len(small_pacs.stored) == 2


def test_more_classes_than_contexts_take_more_associations(small_pacs: SmallPacs, tmp_path: Path) -> None:
    named = [UID(str(context.abstract_syntax)) for context in StoragePresentationContexts]
    classes = [uid for uid in named if uid_to_service_class(uid) is StorageServiceClass][:100]
    files = [write_slice(tmp_path, sop_class=sop_class) for sop_class in classes]
    small_pacs.start(classes)
    assert send_files(small_pacs.peer(), "NODE", files).complete
    assert list(small_pacs.stored) == [uid_of(path) for path in files]
    # 100 classes in two syntaxes are 200 contexts; one association has room for 128.
    assert len({arrival.association for arrival in small_pacs.arrivals}) == 2
