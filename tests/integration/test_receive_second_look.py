"""The same name twice over a real socket: other encodings change nothing, other headers and pixels are told apart."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from dicomnode.receive.same_content import difference
from dicomnode.receive.second_look import SecondLook
from storage.interventions import Interventions
from storage.records import AddOutcome, CaseState, ReceivedInstance
from storage.session import Database
from tests.fixtures.command_line import Command
from tests.fixtures.dicom_peer import Encoded, Receiver, associated, encode_dataset, sample_dataset, store, with_pixels
from tests.fixtures.dicom_series import classic_series, noise, pet_series, write
from tests.fixtures.node_parts import NodeParts

SUCCESS, WARNING = 0x0000, 0xB000


def as_sent(path: Path) -> Encoded:
    """The file's data set, its bytes untouched where its own syntax is kept."""
    dataset = dcmread(path)
    syntax = dataset.file_meta.TransferSyntaxUID
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = syntax.is_little_endian, syntax.is_implicit_VR
    write_dataset(buffer, dataset)
    return Encoded(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), str(syntax), buffer.getvalue())


def a_slice(folder: Path, syntax: UID = ExplicitVRLittleEndian) -> Path:
    """One slice of 12 bits in 16, in `syntax`; the UIDs are always the same."""
    folder.mkdir(exist_ok=True)
    (path,) = classic_series(
        folder, noise((1, 80, 64), high=4000), syntax=syntax, SOPInstanceUID="1.2.3.4.1", BitsStored=12, HighBit=11,
        PixelRepresentation=0,
    )  # fmt: skip
    return path


def is_dicom(path: Path) -> bool:
    return path.read_bytes()[128:132] == b"DICM"


LOSSLESS = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLSLossless,
    JPEG2000Lossless,
)


@pytest.mark.parametrize("first", [ExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless], ids=lambda uid: uid.name)
def test_every_lossless_encoding_of_a_slice_says_the_same(tmp_path: Path, first: UID) -> None:
    kept = a_slice(tmp_path / "kept", first)
    for number, syntax in enumerate(LOSSLESS):
        assert difference(kept, a_slice(tmp_path / str(number), syntax)).is_none, syntax.name


def test_what_differs_is_named(tmp_path: Path) -> None:
    kept, came = a_slice(tmp_path / "kept"), a_slice(tmp_path / "came", RLELossless)
    dataset = dcmread(came)
    dataset.PatientName = "Other^Name"
    dataset.add_new(0x00091001, "LO", "private")
    dataset.save_as(came)
    found = difference(kept, came)
    assert found.tags == ("(0009,1001)", "PatientName")
    assert found.pixels is True
    dataset = dcmread(kept)
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(came)
    assert difference(kept, came).pixels is False


@pytest.mark.data
def test_a_series_again_in_other_syntaxes_changes_nothing(receiver: Receiver, reference_data: Path) -> None:
    root = reference_data / "formats" / "generic"
    ways = [
        sorted(path for path in (root / name).rglob("*") if path.is_file() and path.read_bytes()[128:132] == b"DICM")[
            :2
        ]
        for name in ("compressed_rle", "compressed_j2k", "compressed_jpeg", "compressed_jpegls")
    ]
    ways = [sorted(way, key=lambda path: str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)) for way in ways]
    instances = [as_sent(path) for way in ways for path in way]
    with associated(receiver.port, instances) as association:
        answers = [store(association, instance) for instance in instances]
        before = receiver.catalogue.list_series(), list(receiver.objects.digests())
        answers += [store(association, instance) for instance in instances]
    assert {answer.Status for answer in answers} == {SUCCESS}
    assert len(receiver.instances()) == 2
    assert (receiver.catalogue.list_series(), list(receiver.objects.digests())) == before
    assert receiver.catalogue.set_aside() == ()


def test_the_answer_names_what_differs(receiver: Receiver) -> None:
    dataset = with_pixels(sample_dataset())
    dataset.SOPInstanceUID = "1.2.3.77"
    first = sent(dataset)
    dataset.SeriesDescription, dataset.PatientComments, dataset.StudyID = "renamed", "new", "7"
    dataset.OperatorsName = "Marked^Operator"
    other = sent(dataset)
    with associated(receiver.port, [first]) as association:
        answers = [store(association, instance) for instance in (first, other, other)]
    assert [answer.Status for answer in answers] == [SUCCESS, WARNING, WARNING]
    assert answers[1].ErrorComment == answers[2].ErrorComment
    assert answers[1].ErrorComment.startswith("Header differs: SeriesDescription, OperatorsName, ")
    (aside,) = receiver.catalogue.set_aside()
    assert aside.reason is AddOutcome.VERSION
    assert aside.differences is not None
    assert set(aside.differences) == {"SeriesDescription", "OperatorsName", "StudyID", "PatientComments"}


def sent(dataset: Dataset) -> Encoded:
    uid = str(dataset.SOPInstanceUID)
    return Encoded(
        str(dataset.SOPClassUID), uid, ExplicitVRLittleEndian, encode_dataset(dataset, ExplicitVRLittleEndian)
    )


def test_a_person_decides_between_two_images_and_the_case_is_replaced(
    node_parts: NodeParts, tmp_path: Path, dicomnode: Command
) -> None:
    same: dict[str, Any] = {"StudyInstanceUID": "1.2.8", "PatientBirthDate": "19600101", "AcquisitionDate": "20260112"}
    ct = classic_series(tmp_path / "ct", SeriesInstanceUID="1.2.8.1", **same)
    pet = pet_series(tmp_path / "pet", SeriesInstanceUID="1.2.8.2", **same)
    node_parts.receive([*ct, *pet])
    node_parts.schedule()
    early = node_parts.only_case()

    changed = shutil.copy(ct[2], tmp_path / "changed.dcm")
    dataset = dcmread(changed)
    dataset.PixelData = np.roll(np.frombuffer(dataset.PixelData, dtype=np.int16), 5).tobytes()
    write(dataset, tmp_path / "changed.dcm")
    node_parts.receive([tmp_path / "changed.dcm"])
    node_parts.schedule()
    assert node_parts.only_case() == early, "the case uses the first until a person decides"

    config = tmp_path / "node.toml"
    config.write_text(f'[storage]\npath = "{tmp_path}"\nreserve_bytes = 0\n')
    (listed,) = dicomnode("conflicts", "list", "--json", "--config", config).values["conflicts"]
    assert (listed["reason"], listed["decided"]) == ("conflict", False)
    chosen = dicomnode(
        "conflicts", "use", listed["sop_instance_uid"], listed["set_aside"][:10], "--reason", "repeat scan", "--as",
        "Dr Who", "--json", "--config", config,
    )  # fmt: skip
    assert chosen.values["in_use"] == listed["set_aside"]
    (again,) = dicomnode("conflicts", "--config", config, "--json").values["conflicts"]
    assert (again["set_aside"], again["in_use"], again["decided"]) == (listed["in_use"], listed["set_aside"], True)
    (entry,) = Interventions(Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")).list()
    assert (entry.actor, entry.cause, entry.subject) == ("Dr Who", "repeat scan", listed["sop_instance_uid"])

    node_parts.schedule()
    assert node_parts.cases.get(early.case_id).state is CaseState.REPLACED
    (late,) = [case for case in node_parts.cases.list() if case.state is not CaseState.REPLACED]
    assert late.plan.series_instance_uids == early.plan.series_instance_uids


def test_who_comes_second_with_the_same_finds_it_settled(node_parts: NodeParts) -> None:
    """Two associations send one instance in another syntax at once: the first comparison drops it for both."""
    aside = node_parts.catalogue.aside
    late = SecondLook(lambda _: AddOutcome.VERSION, node_parts.store, aside)
    dataset = sent(with_pixels(sample_dataset()))
    instance = ReceivedInstance(
        dataset.sop_class_uid, dataset.sop_instance_uid, dataset.transfer_syntax_uid, dataset.dataset, "A", "B", "",
        datetime.now(UTC),
    )  # fmt: skip
    assert late(instance).outcome is AddOutcome.DUPLICATE


def test_what_is_in_use_may_be_gone(receiver: Receiver) -> None:
    dataset = with_pixels(sample_dataset())
    first = sent(dataset)
    dataset.SeriesDescription = "renamed"
    other = sent(dataset)
    with associated(receiver.port, [first]) as association:
        assert store(association, first).Status == SUCCESS
        receiver.objects.path(receiver.instances()[first.sop_instance_uid].stored.digest).unlink()
        assert store(association, other).Status == WARNING
    (aside,) = receiver.catalogue.set_aside()
    assert aside.differences is None
