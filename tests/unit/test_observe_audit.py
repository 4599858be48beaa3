"""Audit messages, the chained file and its verification, and a server that is slow or away."""

import threading
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomnode.errors import NodeError, SettingsError
from dicomnode.observe import audit_message as xml
from dicomnode.observe.audit_chain import ChainedFile, verify
from dicomnode.observe.audit_message import Participant, Transfer
from dicomnode.observe.audit_outlet import Outlet
from dicomnode.observe.audit_syslog import Syslog, address_of, formatted
from dicomnode.observe.metrics import AUDIT_LOST
from tests.fixtures.command_line import Command

LINES = ["<a/>", '<b c="d e"/>', "<f>ü</f>", "<g/>"]


def chained(folder: Path, *batches: Sequence[str]) -> Path:
    path = folder / "audit.log"
    for batch in batches:  # each opened anew, as after a restart
        file = ChainedFile(path)
        file(batch)
        file.close()
    return path


def lost(place: str) -> float:
    return float(AUDIT_LOST.labels(place)._value.get())


def test_a_whole_chain_holds_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = chained(tmp_path, LINES[:2], LINES[2:])
    found = verify(path)
    assert found.lines == len(LINES)
    assert [line.split(" ", 2)[2] for line in path.read_text(encoding="utf-8").splitlines()] == LINES
    assert found.digest != verify(chained(tmp_path, ["<h/>"])).digest


@pytest.mark.parametrize("line", [1, 2, 3])
@pytest.mark.parametrize("harm", ["changed", "removed", "repeated", "swapped"])
def test_every_harm_before_the_last_line_is_found(tmp_path: Path, harm: str, line: int) -> None:
    path = chained(tmp_path, LINES)
    lines = path.read_bytes().splitlines(keepends=True)
    at = line - 1
    if harm == "changed":
        lines[at] = lines[at].replace(b"<", b"<x")
    elif harm == "removed":
        del lines[at]
    elif harm == "repeated":
        lines.insert(at, lines[at])
    else:
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    path.write_bytes(b"".join(lines))
    with pytest.raises(NodeError, match=r"line [1-4]: the chain is broken"):
        verify(path)


def test_a_torn_last_line_is_found_and_taken_away_by_the_next_start(tmp_path: Path) -> None:
    path = chained(tmp_path, LINES)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(NodeError, match="line 4: it was cut off"):
        verify(path)
    assert verify(chained(tmp_path, ["<after/>"])).lines == len(LINES)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    first = ChainedFile(tmp_path / "audit.log")
    with pytest.raises(SettingsError, match="another node"):
        ChainedFile(tmp_path / "audit.log")
    first.close()
    with pytest.raises(OSError, match="descriptor"):
        first(LINES)
    with pytest.raises(SettingsError, match="cannot be written"):
        ChainedFile(tmp_path / "none" / "audit.log")


def test_the_command_says_where_the_chain_breaks(dicomnode: Command, tmp_path: Path) -> None:
    path = chained(tmp_path, LINES)
    answer = dicomnode("audit", "verify", "--file", str(path), "--json")
    assert (answer.code, answer.values["lines"]) == (0, len(LINES))
    path.write_bytes(path.read_bytes().replace(b"<b", b"<x"))
    assert dicomnode("audit", "verify", "--file", str(path)).code == 1
    assert dicomnode("audit", "verify").code == 2


def test_a_transfer_names_study_classes_and_patient() -> None:
    them = Participant("PETCT", xml.SOURCE, is_requestor=True, address="192.0.2.7")
    us = Participant("NODE", xml.DESTINATION, is_requestor=False)
    root = xml.message(xml.INSTANCES_TRANSFERRED, "C", (them, us), "NODE")
    xml.add_transfer(root, Transfer("1.2.3", "ID-7", {"1.2.840.1": 3}))
    read = fromstring(xml.xml_of(root))
    assert [part.tag for part in read] == [
        "EventIdentification",
        "ActiveParticipant",
        "ActiveParticipant",
        "AuditSourceIdentification",
        "ParticipantObjectIdentification",
        "ParticipantObjectIdentification",
    ]
    event = read.find("EventIdentification/EventID")
    assert event is not None
    assert event.attrib == {
        "csd-code": "110104",
        "codeSystemName": "DCM",
        "originalText": "DICOM Instances Transferred",
    }
    study, patient = read.findall("ParticipantObjectIdentification")
    assert (study.get("ParticipantObjectID"), patient.get("ParticipantObjectID")) == ("1.2.3", "ID-7")
    counted = study.find("ParticipantObjectDescription/SOPClass")
    assert counted is not None
    assert counted.get("NumberOfInstances") == "3"
    assert patient.get("ParticipantObjectTypeCode") == "1"
    source = read.find("ActiveParticipant")
    assert source is not None
    assert (source.get("NetworkAccessPointID"), source.get("NetworkAccessPointTypeCode")) == ("192.0.2.7", "2")


@given(st.text(), st.text())
def test_whatever_a_peer_says_the_message_is_one_line_of_xml(title: str, reason: str) -> None:
    who = Participant(title, xml.SOURCE, is_requestor=True)
    root = xml.message(xml.SECURITY_ALERT, "E", (who,), "NODE", description=reason)
    xml.add_node(root, title.encode("utf-8", "replace").decode(), reason.encode("utf-8", "replace").decode())
    text = xml.xml_of(root)
    assert "\n" not in text
    assert "\r" not in text
    fromstring(text)


def test_syslog_has_the_form_of_rfc_5424() -> None:
    head, _, said = formatted("<a/>").partition(b"\xef\xbb\xbf")
    fields = head.decode("ascii").split(" ")
    assert fields[0] == "<85>1"
    assert (fields[3], fields[5], fields[6]) == ("dicomnode", "DICOM+RFC3881", "-")
    assert said == b"<a/>"


def test_addresses_of_syslog_servers() -> None:
    assert address_of("tls://a.example") == ("tls", "a.example", 6514)
    assert address_of("udp://[::1]:5514") == ("udp", "::1", 5514)
    for wrong in ("a.example:514", "http://a.example", "tcp://", "tls://a:b", "tls://a:99999"):
        with pytest.raises(SettingsError, match=r"audit\.syslog"):
            Syslog(wrong)


def test_what_a_slow_place_does_not_take_is_counted_and_nobody_waits() -> None:
    may_go, taken = threading.Event(), list[str]()

    def slow(messages: Sequence[str]) -> None:
        may_go.wait(60)
        taken.extend(messages)

    before = lost("slow")
    outlet = Outlet("slow", slow, size=5)
    for number in range(200):
        outlet.put(str(number))
    assert lost("slow") - before >= 200 - 100 - 5 - 5
    may_go.set()
    outlet.stop()
    assert len(taken) + lost("slow") - before == 200
    assert taken == sorted(taken, key=int)


def test_a_place_that_comes_back_gets_what_waited() -> None:
    tries, taken, came = [0], list[str](), threading.Event()

    def broken_once(messages: Sequence[str]) -> None:
        tries[0] += 1
        if tries[0] == 1:
            raise ConnectionRefusedError
        taken.extend(messages)
        came.set()

    outlet = Outlet("broken", broken_once, size=5)
    outlet.put("a")
    assert came.wait(60)
    outlet.stop()
    assert taken == ["a"]
