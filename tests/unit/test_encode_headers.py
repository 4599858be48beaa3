"""What every derived object says about patient, study, series and time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from dicomnode.encode import EncodeInputs, encode, file_bytes
from dicomnode.encode.derived_series import begin, describe, identify
from dicomnode.encode.elements import decimal
from dicomnode.encode.spatial_registration import spatial_registration
from dicomnode.encode.time_zone import shift_times
from dicomnode.errors import EncodeError
from dicomnode.observe.logs import account
from fusion import Verdict
from tests.fixtures.derived_case import build_case

SC = "1.2.840.10008.5.1.4.1.1.7"
PAIR = build_case(outputs=())


def reread(dataset: Dataset) -> Dataset:
    return dcmread(BytesIO(file_bytes(dataset)))


def written_with(character_set: str | list[str], name: str, issuer: str) -> Dataset:
    """A header that went through a file in `character_set`."""
    header = Dataset()
    header.SpecificCharacterSet = character_set
    header.PatientName, header.PatientID = name, "F-0001"
    qualifier = Dataset()
    qualifier.UniversalEntityID, qualifier.UniversalEntityIDType = "2.25.9", "ISO"
    header.IssuerOfPatientIDQualifiersSequence = Sequence([qualifier])
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID, other.TypeOfPatientID = "X1", issuer, "TEXT"
    header.OtherPatientIDsSequence = Sequence([other])
    header.StudyInstanceUID, header.StudyDescription = "2.25.11", issuer
    header.SOPClassUID, header.SOPInstanceUID = SC, "2.25.12"
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    dcmwrite(buffer, header, enforce_file_format=True)
    buffer.seek(0)
    return dcmread(buffer)


def numbers_of(inputs: EncodeInputs) -> set[int]:
    return {int(series.instances[0].SeriesNumber) for series in encode(inputs)}


def blank(inputs: EncodeInputs) -> Dataset:
    dataset = begin(inputs, identify(inputs, "page", 1, "OT", SC, "Page"))
    dataset.Rows = 1
    return dataset


@pytest.mark.parametrize(
    ("character_set", "name", "text"),
    [
        ("ISO_IR 100", "Müller^Jörg^^Dr.", "Klinik für Nuklearmedizin"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada"),
        ("ISO_IR 144", "Люкceмбypг", "Отделение"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小東", "核医学"),
        ("GB18030", "Zhang^Li=张^丽", "核医学"),
    ],
)
def test_names_keep_every_letter_and_component_group(character_set: str | list[str], name: str, text: str) -> None:
    inputs = replace(build_case(outputs=()), filing_header=written_with(character_set, name, text))
    written = reread(blank(inputs))
    assert written.SpecificCharacterSet == "ISO_IR 192"
    assert str(written.PatientName) == name
    assert written.OtherPatientIDsSequence[0].IssuerOfPatientID == text
    assert written.StudyDescription == text


def test_results_are_filed_in_the_study_of_the_filing_header() -> None:
    inputs = build_case(moving_study="2", outputs=("registered_series", "spatial_registration", "quality_report"))
    filed = replace(inputs, filing_header=inputs.moving.headers[0])
    for series in encode(filed):
        assert series.study_instance_uid == "2.25.12"
        for instance in series.instances:
            assert (instance.StudyInstanceUID, instance.AccessionNumber) == ("2.25.12", "ACC2")
            assert instance.PatientID == "F-0001"


def test_values_that_break_their_rules_are_the_archives_own() -> None:
    inputs = build_case(outputs=())
    header = Dataset()
    header.update(inputs.filing_header)
    header.add_new("StudyID", "SH", "")
    header["StudyID"]._value = "a study ID of more than sixteen letters"
    assert b"a study ID of more than sixteen letters" in file_bytes(blank(replace(inputs, filing_header=header)))


@given(st.text("abcdefghij XYZ+", max_size=90), st.sampled_from(Verdict))
def test_descriptions_fit_and_say_verdict_and_purpose(what: str, verdict: Verdict) -> None:
    description = describe(what, verdict)
    assert len(description) <= 64
    assert description.endswith(f"[{verdict.value.upper()}] NOT FOR DIAGNOSTIC USE")


def test_every_series_of_a_case_has_a_number_and_uid_of_its_own() -> None:
    inputs = build_case()
    series = [*encode(inputs), *spatial_registration(replace(inputs, position=1))]
    assert len({one.series_instance_uid for one in series}) == len(series)
    numbers = [int(one.instances[0].SeriesNumber) for one in series]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) >= 9000


def test_two_cases_of_a_study_number_their_series_apart() -> None:
    pet, mr = (
        replace(case, plan=replace(case.plan, rule=rule))
        for case, rule in ((build_case("PT"), "PT on CT"), (build_case("MR"), "MR on CT"))
    )
    assert pet.filing_header.StudyInstanceUID == mr.filing_header.StudyInstanceUID
    assert not numbers_of(pet) & numbers_of(mr)
    assert numbers_of(pet) == numbers_of(replace(pet, plan=replace(pet.plan)))


@given(st.text(max_size=20), st.integers(0, 98))
def test_numbers_stay_in_their_range_and_movings_of_a_plan_apart(rule: str, position: int) -> None:
    inputs = replace(PAIR, plan=replace(PAIR.plan, rule=rule))
    numbers = [
        identify(replace(inputs, position=place), "page", offset, "OT", SC, "Page").number
        for place in (position, position + 1)
        for offset in range(10)
    ]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) >= 9000
    assert max(numbers) < 10000


def test_the_same_inputs_give_the_same_bytes_and_others_other_uids() -> None:
    inputs = build_case("PT", verdict=Verdict.REVIEW)
    first, second = encode(inputs), encode(build_case("PT", verdict=Verdict.REVIEW))
    for one, other in zip(first, second, strict=True):
        assert [file_bytes(a) for a in one.instances] == [file_bytes(b) for b in other.instances]
    changed = [
        replace(inputs, plan=replace(inputs.plan, file_in_study_uid="2.25.77")),
        replace(inputs, plan=replace(inputs.plan, recipe=replace(inputs.plan.recipe, method="average"))),
        replace(inputs, equipment=replace(inputs.equipment, software_versions="0.2.0")),
        replace(inputs, position=1),
    ]
    names = {str(blank(case).SOPInstanceUID) for case in (inputs, *changed)}
    assert len(names) == len(changed) + 1


def test_creation_is_written_in_the_zone_of_the_study() -> None:
    inputs = build_case(outputs=())
    header = Dataset()
    header.update(inputs.filing_header)
    header.TimezoneOffsetFromUTC = "-0530"
    created = datetime(2026, 3, 1, 2, 15, tzinfo=UTC)
    written = blank(replace(inputs, filing_header=header, created_at=created))
    assert written.TimezoneOffsetFromUTC == "-0530"
    assert (written.SeriesDate, written.SeriesTime) == ("20260228", "204500.000000")


def test_no_zone_is_claimed_for_a_study_that_names_none() -> None:
    assert "TimezoneOffsetFromUTC" not in blank(build_case(outputs=()))


def test_times_of_another_zone_are_rewritten_across_midnight() -> None:
    dataset, dose = Dataset(), Dataset()
    dataset.SeriesDate, dataset.SeriesTime = "20260101", "003000.25"
    dose.RadiopharmaceuticalStartTime, dose.RadiopharmaceuticalStartDateTime = "2330", "20251231233000"
    dataset.RadiopharmaceuticalInformationSequence = Sequence([dose])
    east, west = timezone(timedelta(hours=2)), timezone(timedelta(hours=-1))
    shift_times(dataset, ("SeriesDate",), east, west)
    assert (dataset.SeriesDate, dataset.SeriesTime) == ("20251231", "213000.25")
    assert dose.RadiopharmaceuticalStartTime == "203000"
    assert dose.RadiopharmaceuticalStartDateTime == "20251231203000"
    shift_times(dataset, ("SeriesDate",), None, west)
    assert dataset.SeriesTime == "213000.25"


@given(st.floats(-1e12, 1e12))
def test_decimal_strings_fit_and_lose_nothing_that_matters(value: float) -> None:
    written = decimal(value)
    assert len(written) <= 16
    assert float(written) == pytest.approx(value, rel=1e-8, abs=1e-12)


def test_what_a_library_says_of_the_headers_does_not_reach_the_logs() -> None:
    """highdicom looks the SOP class up in tables of the standard, and quotes what is not there."""
    inputs = build_case(outputs=("parametric_map",))
    for header in inputs.fixed_headers:
        header.SOPClassUID = "MARKED^PATIENT"
    with pytest.raises(EncodeError) as caught:
        encode(inputs)
    assert str(caught.value) == "the fixed series cannot be the source of a parametric map"
    assert caught.value.__cause__ is not None
    assert "MARKED" not in str(account(caught.value))
