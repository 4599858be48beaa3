"""Who is the same patient."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomnode.match.identity import (
    Sameness,
    normalised_birth_date,
    normalised_name,
    patient_key,
    same_patient,
    telling_birth_date,
)
from storage.records import PatientIdentity
from tests.fixtures.series_records import ADA


@pytest.mark.parametrize(
    ("changes", "expected", "reason"),
    [
        ({}, Sameness.MATCH, "birth date and name agree"),
        ({"patient_id": " 4711 "}, Sameness.MATCH, "agree"),
        ({"patient_id": "04711"}, Sameness.DOUBT, "IDs differ, but birth date and name agree"),
        ({"patient_id": "4711a"}, Sameness.DOUBT, "IDs differ, but birth date and name agree"),
        ({"patient_id": "4712", "name": "LOVELACE^ANNE"}, Sameness.DIFFERENT, "IDs differ"),
        ({"patient_id": "4712", "birth_date": ""}, Sameness.DIFFERENT, "IDs differ"),
        ({"patient_id": "4712", "sex": "M"}, Sameness.DIFFERENT, "IDs differ"),
        ({"patient_id": "4712", "name": "LOVELACE"}, Sameness.DIFFERENT, "IDs differ"),
        ({"patient_id": ""}, Sameness.DIFFERENT, "empty"),
        ({"issuer": "CLINIC"}, Sameness.DOUBT, "different domains, but birth date and name agree"),
        ({"issuer": "CLINIC", "name": "BYRON^ADA"}, Sameness.DIFFERENT, "different domains"),
        ({"name": "LOVELACE^ADA^^DR"}, Sameness.MATCH, "name agree"),
        ({"name": "UNKNOWN^FEMALE", "birth_date": "18581117"}, Sameness.DOUBT, "neither birth date nor name"),
        ({"issuer": ""}, Sameness.DOUBT, "only one names its issuer"),
        ({"name": "lovelace^ada^^^ "}, Sameness.MATCH, "name agree"),
        ({"name": "Lovelace ^ Ada"}, Sameness.MATCH, "name agree"),
        ({"name": "ＬＯＶＥＬＡＣＥ^ADA"}, Sameness.MATCH, "name agree"),
        ({"name": "BYRON^ADA"}, Sameness.DOUBT, "name disagree"),
        ({"name": "", "birth_date": ""}, Sameness.DOUBT, "neither birth date nor name"),
        ({"name": "ANONYMOUS", "birth_date": "19000101"}, Sameness.DOUBT, "neither birth date nor name"),
        ({"name": "^", "birth_date": "00000000"}, Sameness.DOUBT, "neither birth date nor name"),
        ({"name": ""}, Sameness.MATCH, "birth date agree"),
        ({"birth_date": ""}, Sameness.MATCH, "name agree"),
        ({"birth_date": "1915.12.10"}, Sameness.MATCH, "birth date and name agree"),
        ({"birth_date": "19151211"}, Sameness.DOUBT, "birth date disagree"),
        ({"birth_date": "19151211", "name": ""}, Sameness.DOUBT, "birth date disagree"),
        ({"sex": "M"}, Sameness.DOUBT, "sex disagree"),
        ({"sex": "O"}, Sameness.MATCH, "agree"),
        ({"sex": ""}, Sameness.MATCH, "agree"),
        ({"sex": "F", "name": "", "birth_date": ""}, Sameness.DOUBT, "neither birth date nor name"),
    ],
)
def test_identity_is_confirmed_by_a_second_factor(changes: dict[str, str], expected: Sameness, reason: str) -> None:
    verdict = same_patient(ADA, replace(ADA, **changes))
    assert verdict.sameness is expected
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("changes", "tells"),
    [
        ({}, True),
        ({"name": "Lovelace Ada"}, True),
        ({"name": "=王^小东"}, True),
        ({"name": "LOVELACE^^^DR"}, False),
        ({"birth_date": "19150101"}, False),
        ({"birth_date": "19000101"}, False),
    ],
)
def test_a_thin_record_is_not_looked_for_under_another_id(changes: dict[str, str], tells: bool) -> None:
    """Else every namesake of a common name, and everybody whose year only is known, would be a case to look at."""
    one = replace(ADA, **changes)
    assert bool(telling_birth_date(one)) is tells
    assert (same_patient(one, replace(one, patient_id="4712")).sameness is Sameness.DOUBT) is tells


@pytest.mark.parametrize("stopgap", ["0", "000000", "123456", "UNKNOWN", "Anonymous", "test"])
def test_an_id_that_many_share_never_matches(stopgap: str) -> None:
    """Also where everything else agrees."""
    nobody = replace(ADA, patient_id=stopgap)
    assert same_patient(nobody, nobody).sameness is Sameness.DOUBT


@pytest.mark.parametrize("name", ["Doe^John", "JOHN^DOE", "NN^NN", "XXX", "Notfall^1", "TEST^PATIENT", "Trauma^Alpha"])
def test_names_for_nobody_say_nothing(name: str) -> None:
    assert normalised_name(name) == {}
    assert normalised_name("DOE^MARY") == {"alphabetic": "DOE^MARY"}


def test_two_empty_ids_are_not_one_patient() -> None:
    nobody = replace(ADA, patient_id=" ")
    assert same_patient(nobody, nobody).sameness is Sameness.DIFFERENT


def test_ideographic_groups_are_compared_where_both_have_them() -> None:
    alphabetic, both = replace(ADA, name="YAMADA^TARO", birth_date=""), "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert (
        same_patient(replace(alphabetic, name="=山田^太郎"), replace(alphabetic, name=both)).sameness is Sameness.MATCH
    )
    assert same_patient(alphabetic, replace(alphabetic, name=both)).sameness is Sameness.DOUBT
    other = replace(alphabetic, name="YAMADA^TARO=山本^太郎")
    assert same_patient(replace(alphabetic, name="YAMADA^TARO=山田^太郎"), other).sameness is Sameness.DOUBT
    assert normalised_name(both) == {"alphabetic": "YAMADA^TAROU", "ideographic": "山田^太郎"}


@pytest.mark.parametrize("value", ["", "19000101", "00000000", "unknown", "20241301", "1915", "99991231"])
def test_placeholder_birth_dates_say_nothing(value: str) -> None:
    assert normalised_birth_date(value) == ""


def test_the_key_of_a_patient_tells_neither_id_nor_name() -> None:
    key = patient_key(ADA)
    assert key == patient_key(replace(ADA, patient_id="4711 ", name="BYRON^ADA"))
    assert key != patient_key(replace(ADA, issuer="CLINIC"))
    assert "4711" not in key


IDENTITIES = st.builds(
    PatientIdentity,
    patient_id=st.sampled_from(["1", "2", ""]),
    issuer=st.sampled_from(["A", "B", ""]),
    name=st.sampled_from(["DOE^JOHN", "doe^john^", "ROE^JANE", "", "ANON"]),
    birth_date=st.sampled_from(["19600101", "1960.01.01", "19610101", "", "19000101"]),
    sex=st.sampled_from(["M", "F", "O", ""]),
)


@given(IDENTITIES, IDENTITIES)
def test_the_order_of_the_two_does_not_matter_and_reasons_hold_no_values(
    a: PatientIdentity, b: PatientIdentity
) -> None:
    verdict = same_patient(a, b)
    assert verdict == same_patient(b, a)
    assert not any(value in verdict.reason for value in ("DOE", "ROE", "1960", "1961"))


@given(IDENTITIES, IDENTITIES)
def test_a_match_never_rests_on_the_id_alone(a: PatientIdentity, b: PatientIdentity) -> None:
    verdict = same_patient(a, b)
    if verdict.sameness is Sameness.MATCH:
        assert verdict.agreeing
        assert not verdict.disagreeing
        assert a.patient_id
        assert a.issuer == b.issuer
