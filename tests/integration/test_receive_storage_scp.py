"""C-STORE over real sockets: stored as sent or refused for the right reason, and nothing half-done is visible."""

import hashlib
import itertools
import threading
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import UID, generate_uid

from dicomnode.network.sop_classes import STORAGE_CLASSES, TRANSFER_SYNTAXES
from dicomnode.receive.file_format import PREAMBLE
from tests.fixtures.dcmtk import echoscu, storescu
from tests.fixtures.dicom_peer import (
    BIG_ENDIAN,
    CT,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_LOSSLESS,
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

MR, PET, NM = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.20"
SUCCESS, WARNING, OUT_OF_RESOURCES, MISMATCH, NOT_PARSABLE, NO_IDENTIFIER = 0, 0xB000, 0xA700, 0xA900, 0xC000, 0xC001


def wait_until(condition: Callable[[], bool], timeout_s: float = 10) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def assert_nothing_kept(receiver: Receiver) -> None:
    assert receiver.instances() == {}
    assert list(receiver.objects.digests()) == []


def assert_kept_as_sent(receiver: Receiver, instance: Encoded) -> None:
    file = receiver.kept(instance.sop_instance_uid)
    assert file.startswith(PREAMBLE)
    assert file.endswith(instance.dataset)
    meta = pydicom.filereader.read_file_meta_info(receiver.objects.path(hashlib.sha256(file).hexdigest()))
    assert file[len(PREAMBLE) + 12 + meta.FileMetaInformationGroupLength :] == instance.dataset
    assert meta.TransferSyntaxUID == instance.transfer_syntax_uid
    assert meta.MediaStorageSOPClassUID == instance.sop_class_uid
    assert meta.MediaStorageSOPInstanceUID == instance.sop_instance_uid


def test_every_class_and_every_transfer_syntax_is_stored_as_sent(receiver: Receiver) -> None:
    syntaxes = itertools.cycle(syntax.uid for syntax in TRANSFER_SYNTAXES)
    instances = [sample(storage_class.uid, next(syntaxes)) for storage_class in STORAGE_CLASSES]
    assert len(TRANSFER_SYNTAXES) <= len(instances) <= 128
    assert send(receiver.port, *instances) == [SUCCESS] * len(instances)
    for instance in instances:
        assert_kept_as_sent(receiver, instance)


@pytest.mark.parametrize("transfer_syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, JPEG_LOSSLESS])
def test_images_are_stored_as_sent_in_every_encoding(receiver: Receiver, transfer_syntax: str) -> None:
    instances = [sample(sop_class, transfer_syntax) for sop_class in (CT, MR, PET, NM)]
    assert send(receiver.port, *instances) == [SUCCESS] * len(instances)
    for instance in instances:
        assert_kept_as_sent(receiver, instance)


def test_what_is_kept_is_what_pydicom_reads_back(receiver: Receiver) -> None:
    dataset = with_pixels(sample_dataset())
    assert send(receiver.port, encoded(dataset)) == [SUCCESS]
    again = pydicom.dcmread(BytesIO(receiver.kept(dataset.SOPInstanceUID)))
    assert again == dataset
    record = receiver.instances()[dataset.SOPInstanceUID]
    assert record.source_ae_title == "WORKSTATION"
    assert record.position == 33.5
    assert record.patient.issuer == "LOCAL"


def test_uncompressed_is_preferred_and_a_class_that_is_not_stored_is_declined(receiver: Receiver) -> None:
    from pynetdicom import AE, build_context

    ultrasound = "1.2.840.10008.5.1.4.1.1.6.1"
    contexts = [build_context(CT, [JPEG_LOSSLESS, IMPLICIT, EXPLICIT]), build_context(ultrasound, [EXPLICIT])]
    association = AE("WORKSTATION").associate("127.0.0.1", receiver.port, contexts=contexts, ae_title="NODE")
    assert [context.transfer_syntax[0] for context in association.accepted_contexts] == [EXPLICIT]
    assert [context.abstract_syntax for context in association.rejected_contexts] == [ultrasound]
    association.release()


def test_the_same_instance_twice_changes_nothing(receiver: Receiver) -> None:
    instance = sample()
    assert send(receiver.port, instance) == [SUCCESS]
    before = receiver.catalogue.list_series(), list(receiver.objects.digests())
    assert send(receiver.port, instance, instance) == [SUCCESS, SUCCESS]
    assert (receiver.catalogue.list_series(), list(receiver.objects.digests())) == before


def test_another_header_or_other_pixels_under_the_same_uid_are_kept_aside_with_a_warning(receiver: Receiver) -> None:
    dataset = with_pixels(sample_dataset())
    first = encoded(dataset)
    dataset.SeriesDescription = "renamed"
    other_header = encoded(dataset)
    dataset.PixelData = bytes(reversed(dataset.PixelData))
    other_pixels = encoded(dataset)
    with associated(receiver.port, [first]) as association:
        answers = [store(association, instance) for instance in (first, other_header, other_pixels)]
    assert [answer.Status for answer in answers] == [SUCCESS, WARNING, WARNING]
    assert "ErrorComment" not in answers[0]
    assert answers[1].ErrorComment == "Header differs: SeriesDescription"
    assert "pixels" in answers[2].ErrorComment
    assert_kept_as_sent(receiver, first)
    assert sorted(aside.reason for aside in receiver.catalogue.set_aside()) == ["conflict", "version"]
    for aside in receiver.catalogue.set_aside():
        assert receiver.objects.verify(aside.stored.digest)


def changed(keyword: str, value: str | None) -> dict[str, Any]:
    return {keyword: value}


def _cut(instance: Encoded, keep: int) -> Encoded:
    return Encoded(
        instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid, instance.dataset[:keep]
    )


@pytest.mark.parametrize("transfer_syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, JPEG_LOSSLESS])
def test_a_data_set_that_was_cut_short_is_refused(receiver: Receiver, transfer_syntax: str) -> None:
    whole = sample(CT, transfer_syntax)
    size = len(whole.dataset)
    parts = [_cut(whole, keep) for keep in (size - 2, size - 20, size // 2, size // 3, 9)]
    assert set(send(receiver.port, *parts)) == {NOT_PARSABLE}
    assert_nothing_kept(receiver)
    assert send(receiver.port, whole) == [SUCCESS]


def test_an_image_with_too_few_pixels_is_refused_and_one_without_is_kept(receiver: Receiver) -> None:
    short = with_pixels(sample_dataset())
    short.PixelData = short.PixelData[:-2]
    short["PixelData"].VR = "OW"
    frames = with_pixels(sample_dataset(NumberOfFrames=2), JPEG_LOSSLESS)
    undescribed = sample_dataset(Rows=None)
    refused = send(receiver.port, encoded(undescribed), encoded(short), encoded(frames, JPEG_LOSSLESS))
    assert refused == [NOT_PARSABLE] * 3
    assert_nothing_kept(receiver)
    without, empty = encoded(sample_dataset()), sample_dataset()
    empty.PixelData = b""
    empty["PixelData"].VR = "OW"
    assert send(receiver.port, without, encoded(empty)) == [SUCCESS] * 2
    assert_kept_as_sent(receiver, without)


def test_random_bytes_are_refused(receiver: Receiver) -> None:
    noise = bytes((index * 197 + index // 7) % 256 for index in range(5000))
    for syntax in (EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED):
        assert send(receiver.port, Encoded(CT, "1.2.3", syntax, noise)) == [NOT_PARSABLE]
    assert_nothing_kept(receiver)


def test_identifiers_that_disagree_or_are_absent_are_refused(receiver: Receiver) -> None:
    dataset = with_pixels(sample_dataset())
    cases = {
        MISMATCH: [
            encoded(dataset, sop_instance_uid=generate_uid()),
            encoded(dataset, sop_class_uid="1.2.840.10008.5.1.4.1.1.4"),
        ],
        NO_IDENTIFIER: [
            encoded(with_pixels(sample_dataset(CT, **changed(keyword, value))))
            for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
            for value in (None, "")
        ],
        NOT_PARSABLE: [encoded(with_pixels(sample_dataset(SeriesInstanceUID="../../etc/passwd")))],
    }
    for status, instances in cases.items():
        assert send(receiver.port, *instances) == [status] * len(instances)
    assert_nothing_kept(receiver)


def test_the_command_must_name_the_class_of_its_context(receiver: Receiver) -> None:
    instance = sample("1.2.840.10008.5.1.4.1.1.4")
    with associated(receiver.port, [sample(CT)]) as association:
        context = association.accepted_contexts[0]
        context._abstract_syntax = instance.sop_class_uid  # what the peer believes; the node knows better
        assert store(association, instance).Status == MISMATCH
    assert_nothing_kept(receiver)


def test_one_bad_instance_leaves_the_others_alone(receiver: Receiver) -> None:
    good = [sample(), sample()]
    bad = sample()
    bad = _cut(bad, len(bad.dataset) - 3)
    assert send(receiver.port, good[0], bad, good[1]) == [SUCCESS, NOT_PARSABLE, SUCCESS]
    assert receiver.instances().keys() == {instance.sop_instance_uid for instance in good}


def test_a_full_disk_is_said_before_it_is_full_and_the_node_recovers(
    start_receiver: Callable[..., Receiver],
) -> None:
    full = start_receiver(storage={"reserve_bytes": 1 << 60})
    instance = sample()
    assert send(full.port, instance) == [OUT_OF_RESOURCES]
    assert_nothing_kept(full)
    full.objects._reserve_bytes = 0  # somebody made room
    assert send(full.port, instance) == [SUCCESS]


def test_callers_are_checked(start_receiver: Callable[..., Receiver]) -> None:
    strict = start_receiver()
    for titles in ({"called": "SOMEBODY"}, {"calling": "STRANGER"}):
        with associated(strict.port, [sample()], **titles) as association:
            assert association.is_rejected
            permanent, user = 1, 1
            answer = association.acceptor.primitive
            assert (answer.result, answer.result_source) == (permanent, user)
    lax = start_receiver(node={"accept_unknown_peers": True, "require_called_ae_title": False})
    assert send(lax.port, sample(), calling="STRANGER", called="ANYBODY") == [SUCCESS]


def test_no_more_associations_than_the_settings_allow(start_receiver: Callable[..., Receiver]) -> None:
    small = start_receiver(node={"max_associations": 2})
    instances = [sample(), sample(), sample()]
    with associated(small.port, instances) as first, associated(small.port, instances):
        with associated(small.port, instances) as third:
            assert third.is_rejected
            transient, presentation, local_limit = 2, 3, 2
            answer = third.acceptor.primitive
            assert (answer.result, answer.result_source, answer.diagnostic) == (transient, presentation, local_limit)
        assert store(first, instances[0]).Status == SUCCESS
    assert wait_until(lambda: not small.server.busy)
    assert send(small.port, instances[1]) == [SUCCESS]


@pytest.mark.parametrize("end", ["abort", "hang_up"])
def test_a_sender_that_stops_half_way_leaves_nothing(receiver: Receiver, end: str) -> None:
    instance = sample(rows=64, columns=64)
    peer = RudePeer(receiver.port, instance)
    assert peer.accepted
    peer.send_command()
    peer.send_part(instance.dataset[: len(instance.dataset) // 2])
    getattr(peer, end)()
    assert wait_until(lambda: not receiver.server.busy)
    assert_nothing_kept(receiver)
    assert send(receiver.port, instance) == [SUCCESS]


def test_a_sender_that_falls_silent_is_dropped(start_receiver: Callable[..., Receiver]) -> None:
    impatient = start_receiver(node={"network_timeout_s": 0.5, "acse_timeout_s": 0.5, "dimse_timeout_s": 0.5})
    instance = sample()
    idle = RudePeer(impatient.port, instance)
    stalled = RudePeer(impatient.port, instance)
    stalled.send_bytes(b"\x04\0\0\0\x10\0half of a P-DATA-TF")
    assert idle.answer()[:1] in (b"\x07", b"")
    assert stalled.answer()[:1] in (b"\x07", b"")
    assert wait_until(lambda: not impatient.server.busy)
    assert_nothing_kept(impatient)


@pytest.mark.parametrize(
    "noise", [b"GET / HTTP/1.1\r\n\r\n", b"\x09\0\0\0\0\x04abcd", b"\x04\0\0\0\0\x08\0\0\0\xff\x01\x03ab"]
)
def test_what_is_no_dicom_ends_the_association_and_not_the_node(receiver: Receiver, noise: bytes) -> None:
    peer = RudePeer(receiver.port, sample())
    peer.send_bytes(noise)
    assert peer.answer()[:1] in (b"\x07", b"")
    assert send(receiver.port, sample()) == [SUCCESS]


def test_a_data_set_in_many_pieces_is_put_together(receiver: Receiver) -> None:
    instance = sample(rows=32, columns=32)
    peer = RudePeer(receiver.port, instance)
    peer.send_command()
    pieces = [instance.dataset[at : at + 100] for at in range(0, len(instance.dataset), 100)]
    for piece in pieces[:-1]:
        peer.send_part(piece)
    peer.send_part(pieces[-1], last=True)
    assert peer.answer()[:1] == b"\x04"
    assert_kept_as_sent(receiver, instance)
    peer.abort()


def test_associations_at_the_same_time(receiver: Receiver) -> None:
    shared = sample()
    own = [[sample() for _ in range(5)] for _ in range(6)]
    statuses: list[list[int]] = []

    def run(instances: list[Encoded]) -> None:
        statuses.append(send(receiver.port, *instances, shared))

    threads = [threading.Thread(target=run, args=(instances,)) for instances in own]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [[SUCCESS] * 6] * 6
    wanted = {instance.sop_instance_uid for instances in own for instance in instances} | {shared.sop_instance_uid}
    assert receiver.instances().keys() == wanted


def test_the_issuer_of_an_id_is_the_header_then_the_peer_then_the_node(
    start_receiver: Callable[..., Receiver],
) -> None:
    peers: dict[str, Any] = {
        "workstation": {"ae_title": "WORKSTATION", "patient_id_domain": "WARD"},
        "other": {"ae_title": "OTHER"},
    }
    node = start_receiver(node={"patient_id_domain": "HOSPITAL"}, peers=peers)
    named, peers_own, nodes_own = sample(IssuerOfPatientID="CLINIC"), sample(), sample()
    send(node.port, named, peers_own)
    send(node.port, nodes_own, calling="OTHER")
    issuers = {uid: record.patient.issuer for uid, record in node.instances().items()}
    assert issuers == {
        named.sop_instance_uid: "CLINIC",
        peers_own.sop_instance_uid: "WARD",
        nodes_own.sop_instance_uid: "HOSPITAL",
    }


@pytest.mark.pacs
def test_dcmtk_as_the_workstation(receiver: Receiver, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    files = []
    for index, syntax in enumerate((EXPLICIT, IMPLICIT)):
        dataset = with_pixels(sample_dataset())
        dataset.ensure_file_meta()
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
        files.append(folder / f"{index}.dcm")
        dataset.save_as(files[-1], enforce_file_format=True)
    assert echoscu(receiver.port, "NODE", calling="WORKSTATION").returncode == 0
    for _ in range(2):
        done = storescu(receiver.port, "NODE", [folder], calling="WORKSTATION")
        assert done.returncode == 0, done.stdout
    kept = receiver.instances()
    assert len(kept) == len(files)
    for file in files:
        sent = pydicom.dcmread(file)
        assert pydicom.dcmread(BytesIO(receiver.kept(sent.SOPInstanceUID))) == sent
    assert storescu(receiver.port, "WRONG", files[:1], calling="WORKSTATION").returncode != 0


@pytest.mark.data
def test_real_series_are_taken_whole(receiver: Receiver, reference_data: Path) -> None:
    sent = 0
    for file in sorted((reference_data / "formats").rglob("*")):
        if not file.is_file() or file.read_bytes()[128:132] != b"DICM":
            continue
        instance = _file_as_sent(file)
        if instance.sop_class_uid not in {storage_class.uid for storage_class in STORAGE_CLASSES}:
            continue
        assert send(receiver.port, instance)[0] in (SUCCESS, WARNING), file
        sent += 1
    assert sent > 50


def _file_as_sent(file: Path) -> Encoded:
    meta = pydicom.filereader.read_file_meta_info(file)
    dataset = pydicom.dcmread(file, specific_tags=["SOPClassUID", "SOPInstanceUID"])
    return Encoded(
        str(dataset.SOPClassUID),
        str(dataset.SOPInstanceUID),
        str(meta.TransferSyntaxUID),
        file.read_bytes()[128 + 4 + 12 + meta.FileMetaInformationGroupLength :],
    )
