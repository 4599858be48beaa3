"""De-identified copies: nothing that names anybody is left, at any depth, and what belongs together stays so."""

from datetime import date, timedelta
from io import BytesIO

import pytest
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from dicomnode.errors import ExportError
from dicomnode.export.deidentify import CHARACTERISTICS, Deidentifier
from dicomnode.export.formats import Dates
from dicomnode.export.pseudonyms import Pseudonyms, shifted

MARK = "MARKED"
SECRET = bytes(range(32))
TEXT = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UT"})


def whole(**values: object) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, UID("1.2.3.4")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.SourceApplicationEntityTitle = MARK
    dataset = FileDataset(BytesIO(), {}, preamble=MARK.encode().ljust(128), file_meta=meta)
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = CTImageStorage, "1.2.3.4", "CT"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = "1.2.3", "1.2.3.1", "1.2.3.9"
    dataset.PatientID = dataset.PatientName = MARK
    dataset.PatientBirthDate, dataset.StudyDate, dataset.AcquisitionTime = "19610203", "20260110", "090000"
    dataset.PixelData = b"\0\1"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def names_of_table() -> list[int]:
    return [Tag(*tag) for tag in table.ALL_TAGS if len(tag) == 2 and dictionary_has_tag(Tag(*tag))]


def written(dataset: FileDataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.parametrize("dates", list(Dates))
@pytest.mark.parametrize("keep", [False, True])
def test_no_text_of_the_table_is_left_at_any_depth(dates: Dates, keep: bool) -> None:
    inner = Dataset()
    for tag in names_of_table():
        if dictionary_VR(tag) in TEXT and not (keep and tag in CHARACTERISTICS):
            inner.add_new(tag, dictionary_VR(tag), MARK)
    dataset = whole()
    for element in list(inner):
        dataset.add(element)
    dataset.ContributingEquipmentSequence = Sequence([Dataset()])
    dataset.ContributingEquipmentSequence[0].update(inner)
    dataset.ContributingEquipmentSequence[0].PurposeOfReferenceCodeSequence = Sequence([inner])
    dataset.private_block(0x0009, MARK, create=True).add_new(1, "LO", MARK)
    dataset.add_new(0x60003000, "OW", MARK.encode())
    dataset.add_new(0x00091399, "UN", MARK.encode())

    copy = Deidentifier(Pseudonyms(SECRET), dates, keep)(dataset, "LOCAL|1", "CT")

    assert MARK in str(dataset.PatientName), "the original is untouched"
    assert MARK.encode() not in written(copy)


def test_the_copy_says_what_was_done_to_it() -> None:
    copy = Deidentifier(Pseudonyms(SECRET), Dates.SHIFT, keep_characteristics=True)(whole(), "LOCAL|1", "CT")

    assert copy.PatientIdentityRemoved == "YES"
    assert copy.LongitudinalTemporalInformationModified == "MODIFIED"
    assert [item.CodeValue for item in copy.DeidentificationMethodCodeSequence] == ["113100", "113107", "113108"]
    assert copy.PatientBirthDate in (None, "")
    assert dcmread(BytesIO(written(copy))).file_meta.MediaStorageSOPInstanceUID == copy.SOPInstanceUID


def test_what_refers_to_each_other_still_does() -> None:
    first, second = whole(), whole(SOPInstanceUID="1.2.3.5")
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, "1.2.3.4"
    second.SourceImageSequence = Sequence([reference])
    remove_names = Deidentifier(Pseudonyms(SECRET))

    one, two = (remove_names(dataset, "LOCAL|1", "CT") for dataset in (first, second))

    assert two.SourceImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID != "1.2.3.4"
    assert two.SourceImageSequence[0].ReferencedSOPClassUID == CTImageStorage
    assert one.FrameOfReferenceUID == two.FrameOfReferenceUID != "1.2.3.9"
    assert one.PatientID == two.PatientID
    other = Deidentifier(Pseudonyms(bytes(32)))(first, "LOCAL|1", "CT")
    assert other.SOPInstanceUID != one.SOPInstanceUID, "another secret, another name"


def test_shifted_dates_keep_their_distances_and_times() -> None:
    dataset = whole(
        SeriesDate="20260112", AcquisitionDateTime="20260111093000.000000+0100", PatientBirthDate="19610203"
    )
    copy = Deidentifier(Pseudonyms(SECRET), Dates.SHIFT)(dataset, "LOCAL|1", "PT")

    days = Pseudonyms(SECRET).shift("LOCAL|1")
    assert days.days < 0
    assert copy.StudyDate == shifted("20260110", days)
    assert copy.SeriesDate == shifted("20260112", days)
    assert copy.AcquisitionDateTime.endswith("093000.000000+0100")
    assert copy.AcquisitionTime == "090000"
    assert not copy.PatientBirthDate


@given(st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 1, 1)), st.integers(1, 3650))
def test_a_shift_there_and_back_is_none(day: date, days: int) -> None:
    text = f"{day:%Y%m%d}"
    assert shifted(shifted(text, timedelta(days=-days)), timedelta(days=days)) == text


@pytest.mark.parametrize("value", ["2026", "garbage!", "", "20261399", "00000000"])
def test_a_date_that_is_none_becomes_empty(value: str) -> None:
    assert shifted(value, Pseudonyms(SECRET).shift("LOCAL|1")) == ""


def test_characteristics_are_kept_on_request_and_great_ages_are_not_told() -> None:
    dataset = whole(PatientAge="094Y", PatientWeight="71", PatientSex="F")

    kept = Deidentifier(Pseudonyms(SECRET), keep_characteristics=True)(dataset, "LOCAL|1", "PT")
    removed = Deidentifier(Pseudonyms(SECRET))(dataset, "LOCAL|1", "PT")

    assert (kept.PatientAge, kept.PatientWeight, kept.PatientSex) == ("090Y", 71, "F")
    assert "PatientWeight" not in removed
    assert "PatientAge" not in removed
    assert not removed.PatientSex


def test_writing_in_pixels_and_reports_are_refused() -> None:
    remove_names = Deidentifier(Pseudonyms(SECRET))
    with pytest.raises(ExportError, match="Burned In Annotation"):
        remove_names(whole(BurnedInAnnotation="YES"), "LOCAL|1", "SC")
    report = whole(Modality="SR")
    del report.PixelData
    with pytest.raises(ExportError, match="text"):
        remove_names(report, "LOCAL|1", "SR")
