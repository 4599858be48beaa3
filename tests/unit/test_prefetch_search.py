"""Which studies of a peer are fetched, and which are not: limits, identity, own outputs; and reading multipart."""

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomnode.commands.fetching import why_not_one_patient
from dicomnode.errors import PeerRefusedError, SettingsError
from dicomnode.prefetch.multipart import boundary_of, parts
from dicomnode.prefetch.retrieve import retrieval
from dicomnode.prefetch.search import Found, Search
from dicomnode.settings import PeerSettings, PrefetchSettings
from storage.records import Fetch, FetchState
from tests.fixtures.series_records import ADA, MONDAY

NOW = MONDAY + timedelta(days=2)
WISH = Fetch(
    fetch_id=1,
    rule="petct",
    modality="PT",
    peer="pacs",
    for_series_uid="1.3.1",
    patient=ADA,
    earliest=MONDAY - timedelta(days=3),
    latest=MONDAY + timedelta(days=3),
    state=FetchState.WANTED,
    reason="",
    attempts=0,
    next_attempt_at=None,
)


def study(uid: str, date: str = "20240304", **changes: str) -> dict[str, str]:
    return {
        "StudyInstanceUID": uid,
        "StudyDate": date,
        "PatientID": "4711",
        "PatientName": "LOVELACE^ADA",
        "PatientBirthDate": "19151210",
        "ModalitiesInStudy": "CT\\PT",
        **changes,
    }


def series(uid: str, **changes: str) -> dict[str, str]:
    return {"SeriesInstanceUID": uid, "Modality": "PT", "NumberOfSeriesRelatedInstances": "40", **changes}


def search(
    studies: list[dict[str, str]], held: Mapping[str, list[dict[str, str]]], **limits: Any
) -> tuple[Found, list[Any]]:
    asked: list[Any] = []

    def ask(level: str, keys: Mapping[str, str]) -> list[dict[str, str]]:
        asked.append((level, dict(keys)))
        return studies if level == "STUDY" else held.get(keys["StudyInstanceUID"], [])

    wish = limits.pop("wish", WISH)
    looking = Search(
        PeerSettings(ae_title="PACS"),
        PrefetchSettings(**limits),
        "HOSPITAL",
        ask,
        why_not_one_patient,
        lambda uid: uid == "9.9",
    )
    return looking(wish, NOW), asked


def test_the_partner_is_found_and_the_query_is_narrow() -> None:
    found, asked = search([study("1.1")], {"1.1": [series("1.1.1"), series("1.1.2", Modality="CT")]})
    assert [one.series_instance_uid for one in found.series] == ["1.1.1"]
    assert found.series[0].instances == 40
    level, keys = asked[0]
    assert (level, keys["PatientID"], keys["ModalitiesInStudy"]) == ("STUDY", "4711", "PT")
    assert keys["StudyDate"] == "20240229-20240308"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"PatientBirthDate": "19151211"}, "birth date disagree"),
        ({"PatientName": "BYRON^ADA"}, "name disagree"),
        ({"PatientSex": "M"}, "sex disagree"),
        ({"PatientID": "4712"}, "IDs differ"),
        ({"IssuerOfPatientID": "CLINIC"}, "different domains"),
        ({"PatientBirthDate": "", "PatientName": ""}, "neither birth date nor name"),
    ],
)
def test_whoever_is_not_certainly_the_patient_is_not_fetched(changes: dict[str, str], reason: str) -> None:
    found, _ = search([study("1.1", **changes)], {"1.1": [series("1.1.1")]})
    assert found.series == ()
    assert reason in found.reasons[0]


def test_the_nearest_studies_come_first_and_no_more_than_may() -> None:
    studies = [study(f"1.{day}", f"202403{day:02d}") for day in (1, 5, 4, 7)]
    held = {one["StudyInstanceUID"]: [series(one["StudyInstanceUID"] + ".1")] for one in studies}
    found, _ = search(studies, held, max_studies=2)
    assert [one.study_instance_uid for one in found.series] == ["1.4", "1.5"]
    assert "max_studies" in found.reasons[-1]


def test_a_study_that_is_too_large_or_too_old_stays_where_it_is() -> None:
    found, _ = search([study("1.1")], {"1.1": [series("1.1.1"), series("1.1.2")]}, max_instances=79)
    assert found.series == ()
    assert "80 instances" in found.reasons[0]
    found, asked = search([study("1.1")], {}, max_age_days=30, wish=replace(WISH, latest=NOW - timedelta(days=40)))
    assert (found.series, asked) == ((), [])
    assert "max_age_days" in found.reasons[0]


def test_own_outputs_are_never_fetched() -> None:
    marked = series("1.1.2", SeriesDescription="PET on CT, ACCEPT, not for diagnostic use")
    found, _ = search([study("1.1")], {"1.1": [series("9.9"), marked, series("1.1.3")]})
    assert [one.series_instance_uid for one in found.series] == ["1.1.3"]
    assert all("this node made it" in reason for reason in found.reasons)


def test_an_id_that_would_ask_for_others_is_not_asked_for() -> None:
    found, asked = search([], {}, wish=replace(WISH, patient=replace(ADA, patient_id="47*")))
    assert (found.series, asked) == ((), [])


def test_a_peer_that_matches_no_modality_is_seen_through() -> None:
    found, _ = search([study("1.1", ModalitiesInStudy="MR")], {"1.1": [series("1.1.1")]})
    assert found == Found((), ())


@given(st.lists(st.binary(max_size=300)), st.integers(1, 64), st.sampled_from([b"", b"preamble\r\n"]))
def test_every_part_comes_whole_however_it_is_cut(contents: list[bytes], chunk: int, preamble: bytes) -> None:
    boundary = b"=_bound"
    contents = [content for content in contents if boundary not in content]
    head = b"Content-Type: application/dicom\r\n\r\n"
    message = preamble + b"".join(b"--" + boundary + b"\r\n" + head + content + b"\r\n" for content in contents)
    message += b"--" + boundary + b"--\r\n"

    class Slow(io.BytesIO):
        def read(self, amount: int | None = -1, /) -> bytes:
            return super().read(min(amount or chunk, chunk))

    assert [bytes(part) for part in parts(Slow(message), boundary, 1000)] == contents
    with pytest.raises(PeerRefusedError, match="cut short"):
        list(parts(Slow(message[: -len(boundary) - 4]), boundary, 1000))


def test_what_is_no_multipart_message_or_too_large_is_refused() -> None:
    assert boundary_of('multipart/related; type="application/dicom"; boundary="a b"') == b"a b"
    with pytest.raises(PeerRefusedError, match="not multipart"):
        boundary_of("text/html")
    with pytest.raises(PeerRefusedError, match="larger than"):
        list(parts(io.BytesIO(b"--b\r\n\r\n" + bytes(1 << 18)), b"b", 1000))


def test_a_retrieval_names_what_it_wants() -> None:
    identifier = retrieval({"PatientID": "4711", "StudyInstanceUID": "1.2", "SeriesInstanceUID": ""})
    assert (identifier.QueryRetrieveLevel, identifier.StudyInstanceUID) == ("STUDY", "1.2")
    assert "SeriesInstanceUID" not in identifier
    with pytest.raises(SettingsError, match="StudyInstanceUID"):
        retrieval({"SeriesInstanceUID": "1.2"})
