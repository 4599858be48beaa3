"""What an ADT message says, whatever its separators, character set and repetitions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomnode.errors import MessageError
from dicomnode.hl7.messages import Issuers, event_of, parse, read
from storage.records import PatientIdentity

ISSUERS = Issuers({"HOSP": "LOCAL"}, "DEFAULT")


def message(event: str = "A08", *segments: str, charset: str = "", separators: str = "^~\\&") -> str:
    head = f"MSH|{separators}|ADT|HIS|NODE|RAD|20260110||ADT^{event}|M1|P|2.5|||||DE|{charset}"
    return "\r".join((head, "EVN|" + event, *segments)) + "\r"


PID = "PID|||9^^^OTHER~123^^^HOSP^MR||Müller^Jörg^Karl^jr.^Dr.||19610203101500|M"


@pytest.mark.parametrize(("said", "codec"), [("8859/1", "latin-1"), ("UNICODE UTF-8", "utf-8"), ("", "utf-8")])
def test_the_patient_is_read_in_the_message_s_own_characters(said: str, codec: str) -> None:
    (adt,) = read(parse(message("A08", PID, charset=said).encode(codec), "utf-8"), ISSUERS)
    assert adt.patient == PatientIdentity("123", "LOCAL", "Müller^Jörg^Karl^Dr.^jr.", "19610203", "M")
    assert (adt.event, adt.control_id, adt.sender) == ("A08", "M1", "ADT")


def test_a_merge_may_name_several_patients() -> None:
    text = message("A40", PID, "MRG|7^^^HOSP", "PID|||124^^^HOSP||Roe^Jane", "MRG|8^^^HOSP")
    first, second = read(parse(text.encode(), "utf-8"), ISSUERS)
    assert first.prior == PatientIdentity("7", "LOCAL")
    assert second.prior == PatientIdentity("8", "LOCAL")
    assert second.patient.patient_id == "124"


@pytest.mark.parametrize(
    ("event", "segments", "said"),
    [
        ("A08", ("PID|||123^^^ELSEWHERE||Doe",), "PID-3"),
        ("A08", (), "PID segment"),
        ("A40", (PID,), "MRG"),
        ("A40", (PID, "MRG|7^^^ELSEWHERE"), "MRG-1"),
        ("A44", (PID, "MRG|7^^^HOSP"), "MRG-3"),
    ],
)
def test_what_is_missing_is_named_and_never_the_patient(event: str, segments: tuple[str, ...], said: str) -> None:
    with pytest.raises(MessageError, match=said) as caught:
        read(parse(message(event, *segments).encode(), "utf-8"), ISSUERS)
    assert "Doe" not in str(caught.value)
    assert "123" not in str(caught.value)


def test_without_a_table_an_authority_is_its_own_issuer() -> None:
    (adt,) = read(parse(message("A08", "PID|||5^^^WEST&1.2&ISO||Doe").encode(), "utf-8"), Issuers({}, "DEFAULT"))
    assert (adt.patient.patient_id, adt.patient.issuer) == ("5", "WEST")
    (adt,) = read(parse(message("A08", "PID|||5||Doe").encode(), "utf-8"), Issuers({}, "DEFAULT"))
    assert adt.patient.issuer == "DEFAULT"


def test_other_separators_are_those_of_the_message() -> None:
    text = message("A08", "PID|||9:::X*123:::HOSP||Doe:John", separators=":*\\&").replace("ADT^A08", "ADT:A08")
    parsed = parse(text.encode(), "utf-8")
    (adt,) = read(parsed, ISSUERS)
    assert (adt.patient.patient_id, adt.patient.name) == ("123", "Doe^John")


@given(st.binary(max_size=300))
def test_bytes_are_a_message_or_an_error_of_ours(block: bytes) -> None:
    for head in (b"", b"MSH|^~\\&|", message().encode()[:60]):
        try:
            parsed = parse(head + block, "utf-8")
            event = event_of(parsed)
            if event in ("A08", "A40", "A44"):
                read(parsed, ISSUERS)
        except MessageError:
            pass
