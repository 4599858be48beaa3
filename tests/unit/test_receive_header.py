"""Headers as devices write them: character sets, functional groups, values that are not what their VR says."""

import json
import math
from typing import Any

import pytest
from pydicom.dataset import Dataset

from dicomnode.receive.header import ATTRIBUTES, WANTED_TAGS, Header
from tests.fixtures.dicom_peer import BIG_ENDIAN, EXPLICIT, IMPLICIT, encode_dataset, sample_dataset

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # as the node is set at start-up


def header_of(dataset: Dataset, syntax: str = EXPLICIT) -> Header:
    return Header(encode_dataset(dataset, syntax), explicit=syntax != IMPLICIT, little_endian=syntax != BIG_ENDIAN)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
def test_values_are_read_in_every_encoding(syntax: str) -> None:
    header = header_of(sample_dataset(RescaleSlope=2, EchoTime="12.5", Units="BQML", PixelSpacing=[0.5, 0.75]), syntax)
    assert header.text("PatientName") == "Marked^Patient"
    assert header.number("InstanceNumber") == 7
    assert header.numbers("ImagePositionPatient") == (-10.0, -20.0, 33.5)
    attributes = header.attributes()
    assert attributes["ImageType"] == ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert attributes["PixelSpacing"] == [0.5, 0.75]
    assert (attributes["EchoTime"], attributes["Units"], attributes["Rows"]) == (12.5, "BQML", 4)
    assert "RescaleSlope" not in attributes
    assert json.loads(json.dumps(attributes, allow_nan=False)) == attributes


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 192", "Müller^Jörg=山田^太郎"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 144", "Люкceмбypг"),
    ],
)
def test_names_are_read_in_their_character_set(character_set: Any, name: str) -> None:
    header = header_of(sample_dataset(SpecificCharacterSet=character_set, PatientName=name))
    assert header.text("PatientName") == name


def test_enhanced_images_answer_like_classic_ones() -> None:
    enhanced = sample_dataset(ImageOrientationPatient=None, ImagePositionPatient=None)
    shared, frame = Dataset(), Dataset()
    shared.PixelMeasuresSequence = [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = [1.5, 1.5]
    shared.MREchoSequence = [Dataset()]
    shared.MREchoSequence[0].EffectiveEchoTime = 97.0
    frame.PlaneOrientationSequence = [Dataset()]
    frame.PlaneOrientationSequence[0].ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    frame.FrameContentSequence = [Dataset()]
    frame.FrameContentSequence[0].FrameAcquisitionDateTime = "20240101120000"
    enhanced.SharedFunctionalGroupsSequence = [shared]
    enhanced.PerFrameFunctionalGroupsSequence = [frame, Dataset()]
    header = header_of(enhanced)
    attributes = header.attributes()
    assert attributes["PixelSpacing"] == [1.5, 1.5]
    assert attributes["EchoTime"] == 97.0
    assert attributes["ImageOrientationPatient"] == [0, 1, 0, 0, 0, -1]
    assert header.found_text("AcquisitionDateTime", "FrameAcquisitionDateTime") == "20240101120000"
    assert not header.has("ImagePositionPatient")


def test_what_cannot_be_read_is_absent_and_does_no_harm() -> None:
    dataset = sample_dataset()
    encoded = encode_dataset(dataset, EXPLICIT)
    broken = encoded.replace(b"IS\x02\x007 ", b"IS\x02\x00x?").replace(b"33.5", b"bad!")
    assert broken != encoded
    header = Header(broken, explicit=True, little_endian=True)
    assert header.number("InstanceNumber") is None
    assert header.numbers("ImagePositionPatient") == ()
    assert header.text("Modality") == "CT"


def test_text_and_numbers_are_fit_for_any_database() -> None:
    encoded = encode_dataset(sample_dataset(ProtocolName="AAAA", TriggerTime="1.5"), EXPLICIT)
    encoded = encoded.replace(b"AAAA", b"A\0A\xff").replace(b"1.5 ", b"nan ")
    attributes = Header(encoded, explicit=True, little_endian=True).attributes()
    assert "\0" not in attributes["ProtocolName"]
    attributes["ProtocolName"].encode("utf-8")
    assert "TriggerTime" not in attributes
    assert all(math.isfinite(value) for value in attributes.values() if isinstance(value, float))


def test_every_wanted_keyword_is_an_element_of_the_standard() -> None:
    keywords = {keyword for keywords in ATTRIBUTES.values() for keyword in keywords}
    assert len(WANTED_TAGS) > len(keywords)
    assert 0 not in WANTED_TAGS
    assert ATTRIBUTES.keys() <= keywords


def test_a_value_is_not_taken_for_the_same_bytes_in_another_character_set() -> None:
    names = []
    for character_set, name in (
        ("ISO_IR 100", "Ä^B"),
        ("ISO_IR 101", "Ä^B"),
        ("ISO_IR 144", "Ф^B"),
        ("ISO_IR 100", "Ô^B"),
    ):
        names.append(
            (header_of(sample_dataset(SpecificCharacterSet=character_set, PatientName=name)).text("PatientName"), name)
        )
    assert [read for read, _ in names] == [written for _, written in names]
