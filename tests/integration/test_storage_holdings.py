"""What may be shown, and how it is found: the keys of PS3.4 C.2.2.2 on every database."""

from dataclasses import replace

import pytest

from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.holdings import Holdings, Level
from storage.records import CaseState, InstanceRecord, PatientIdentity, SeriesHeader, StudyHeader
from storage.session import Database
from tests.fixtures.stored_records import NOON, STUDY, case_result, derived_series, fusion_plan, instance_record

OTHER = StudyHeader("1.2.4", "20230101", "080000.5", "A-8_%", "Head [MR]")


def modality(record: InstanceRecord, name: str) -> InstanceRecord:
    return replace(record, series=replace(record.series, modality=name))


@pytest.fixture
def holdings(database: Database) -> Holdings:
    """A study of two CT slices and a PET one, and another of another patient."""
    catalogue = Catalogue(database)
    mr = SeriesHeader("1.2.4.1", "MR", "1.2.840.10008.5.1.4.1.1.4", series_number="7", description="T1")
    patient = PatientIdentity("p-2", "HOSPITAL", "Roe^Richard", "19500607", "M")
    for record in (
        *(instance_record(number) for number in (2, 1)),
        modality(instance_record(1, "1.2.3.5"), "PT"),
        instance_record(1, "1.2.4.1", patient=patient, study=OTHER, series=mr),
    ):
        catalogue.add_instance(record, NOON)
    return Holdings(database)


def a_case(database: Database, to: CaseState) -> Cases:
    cases = Cases(database)
    cases.open(fusion_plan(), "key", CaseState.QUEUED, "test", "test")
    claim = cases.claim("worker", 60, NOON)
    assert claim is not None
    series = replace(derived_series(), study_instance_uid=STUDY.study_instance_uid)
    cases.record_result(
        claim, case_result(series), to, "judged", [("pacs", series)] if to is CaseState.ACCEPTED else []
    )
    return cases


def found(holdings: Holdings, level: Level, **keys: str) -> list[str]:
    name = {Level.PATIENT: "PatientID", Level.STUDY: "StudyInstanceUID", Level.SERIES: "SeriesInstanceUID"}
    rows = holdings.find(level, {keyword: value.split("\\") for keyword, value in keys.items()})
    return [row[name.get(level, "SOPInstanceUID")] for row in rows]


@pytest.mark.parametrize(
    ("keys", "studies"),
    [
        ({}, ["1.2.3", "1.2.4"]),
        ({"StudyInstanceUID": "1.2.4"}, ["1.2.4"]),
        ({"StudyInstanceUID": "1.2.4\\1.2.3\\9"}, ["1.2.3", "1.2.4"]),
        ({"PatientID": "P-1"}, ["1.2.3"]),
        ({"PatientID": "P-2"}, []),
        ({"PatientID": "p-*"}, ["1.2.4"]),
        ({"PatientID": "?-1"}, ["1.2.3"]),
        ({"PatientName": "doe^j*"}, ["1.2.3"]),
        ({"PatientName": "DOE^JANE^^"}, ["1.2.3"]),
        ({"PatientName": ""}, ["1.2.3", "1.2.4"]),
        ({"PatientBirthDate": "19500101-19591231"}, ["1.2.4"]),
        ({"StudyDate": "20240517"}, ["1.2.3"]),
        ({"StudyDate": "20230101-20231231"}, ["1.2.4"]),
        ({"StudyDate": "-20231231"}, ["1.2.4"]),
        ({"StudyDate": "20230102-"}, ["1.2.3"]),
        ({"StudyTime": "0800-0800"}, ["1.2.4"]),
        ({"StudyTime": "1155-12"}, ["1.2.3"]),
        ({"AccessionNumber": "A-8_%"}, ["1.2.4"]),
        ({"AccessionNumber": "A-?_*"}, ["1.2.4"]),
        ({"StudyDescription": "*[MR]"}, ["1.2.4"]),
        ({"StudyDescription": "*[mr]"}, []),
        ({"ModalitiesInStudy": "PT"}, ["1.2.3"]),
        ({"ModalitiesInStudy": "PT\\MR"}, ["1.2.3", "1.2.4"]),
        ({"Modality": "NM"}, ["1.2.3", "1.2.4"]),  # no key of this level
    ],
)
def test_studies_are_found_by_their_keys(holdings: Holdings, keys: dict[str, str], studies: list[str]) -> None:
    assert found(holdings, Level.STUDY, **keys) == studies


def test_every_level_says_what_lies_below(holdings: Holdings) -> None:
    assert [row["NumberOfPatientRelatedStudies"] for row in holdings.find(Level.PATIENT, {})] == [1, 1]
    (study,) = holdings.find(Level.STUDY, {"PatientID": ["P-1"]})
    assert (study["ModalitiesInStudy"], study["NumberOfStudyRelatedSeries"]) == (["CT", "PT"], 2)
    assert study["NumberOfStudyRelatedInstances"] == 3
    assert study["PatientName"] == "Doe^Jane"
    (series,) = holdings.find(Level.SERIES, {"StudyInstanceUID": ["1.2.3"], "Modality": ["CT"]})
    assert (series["NumberOfSeriesRelatedInstances"], series["SeriesNumber"]) == (2, "2")
    assert found(holdings, Level.IMAGE, SeriesInstanceUID="1.2.3.4") == ["1.2.3.4.1", "1.2.3.4.2"]
    assert found(holdings, Level.IMAGE, SeriesInstanceUID="1.2.3.4", InstanceNumber="2") == ["1.2.3.4.2"]
    assert [held.series_instance_uid for held in holdings.instances({"PatientID": ["p-2"]})] == ["1.2.4.1"]


def test_pages_give_everything_once(holdings: Holdings) -> None:
    whole = holdings.find(Level.IMAGE, {})
    assert [row for k in range(len(whole)) for row in holdings.find(Level.IMAGE, {}, 1, k)] == list(whole)
    assert len(whole) == 4


def test_a_result_is_shown_when_it_was_accepted(holdings: Holdings, database: Database) -> None:
    a_case(database, CaseState.ACCEPTED)
    assert found(holdings, Level.SERIES, StudyInstanceUID="1.2.3") == ["1.2.3.4", "1.2.3.5", "2.25.fused"]
    assert found(holdings, Level.STUDY, ModalitiesInStudy="OT") == ["1.2.3"]
    (study,) = holdings.find(Level.STUDY, {"StudyInstanceUID": ["1.2.3"]})
    assert (study["ModalitiesInStudy"], study["NumberOfStudyRelatedInstances"]) == (["CT", "OT", "PT"], 5)
    (series,) = holdings.find(Level.SERIES, {"SeriesInstanceUID": ["2.25.fused"]})
    assert (series["PatientName"], series["PatientID"], series["Modality"]) == ("Doe^Jane", "P-1", "OT")
    held = holdings.instances({"SeriesInstanceUID": ["2.25.fused"]})
    assert [one.sop_instance_uid for one in held] == ["2.25.fused.1", "2.25.fused.2"]
    assert [one.stored for one in held] == [one.stored for one in derived_series().instances]


@pytest.mark.parametrize("end", ["review", "rejected", "withdrawn", "replaced", "sent back"])
def test_what_nobody_accepted_is_never_shown(holdings: Holdings, database: Database, end: str) -> None:
    to = {"review": CaseState.REVIEW, "rejected": CaseState.REJECTED}.get(end, CaseState.ACCEPTED)
    cases = a_case(database, to)
    if end in ("withdrawn", "sent back"):
        cases.withdraw(fusion_plan().key, "test", "wrong")
    if end == "replaced":
        cases.replace(fusion_plan().key, "better", "test")
    if end == "sent back":  # a peer returns what it was sent
        came = instance_record(1, "2.25.fused")
        Catalogue(database).add_instance(replace(came, series=replace(came.series, own_output=True)), NOON)
    assert "2.25.fused" not in found(holdings, Level.SERIES)
    assert found(holdings, Level.IMAGE, SeriesInstanceUID="2.25.fused") == []
    assert found(holdings, Level.STUDY, ModalitiesInStudy="OT") == []


def test_what_is_in_quarantine_is_not_shown(holdings: Holdings, database: Database) -> None:
    other = PatientIdentity("P-9", "HOSPITAL", "Foe^Jim", "19990101", "M")
    Catalogue(database).add_instance(instance_record(1, "1.2.3.6", patient=other), NOON)
    assert "1.2.3.6" not in found(holdings, Level.SERIES)
    assert found(holdings, Level.STUDY, PatientName="Foe*") == []


def test_what_was_set_aside_is_not_shown(holdings: Holdings, database: Database) -> None:
    first = instance_record(1)
    other = replace(first, stored=replace(first.stored, digest="f" * 64), pixel_digest="e" * 64)
    Catalogue(database).add_instance(other, NOON)
    (held,) = holdings.instances({"SOPInstanceUID": [first.sop_instance_uid]})
    assert held.stored == first.stored
