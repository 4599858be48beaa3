"""Every kind of audit message has the structure that PS3.15 A.5.1 demands, and says what A.5.3 demands of it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from dicomnode.observe.audit_chain import verify
from dicomnode.observe.audit_message import Transfer
from dicomnode.observe.audit_trail import AuditTrail
from dicomnode.settings import AuditSettings, Settings
from tests.fixtures.series_records import ct

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
SCHEMA = Path(__file__).parents[1] / "fixtures" / "audit_message.rng"
TRANSFER = Transfer("1.2.3", "ID-7", {"1.2.840.10008.5.1.4.1.1.2": 3, "1.2.840.10008.5.1.4.1.1.128": 1})
REMOTE, OUR = "PACS", "FUSIONNODE"


@cache
def schema() -> etree.RelaxNG:
    return etree.RelaxNG(etree.parse(SCHEMA))


def said(tmp_path: Path, say: Callable[[AuditTrail], object]) -> list[etree._Element]:
    """What `say` makes the node write into its file, each message checked."""
    file = tmp_path / "audit.log"
    trail = AuditTrail(Settings(audit=AuditSettings(file=str(file))))
    say(trail)
    trail.stopped()
    verify(file)
    messages = [
        etree.fromstring(line.split(" ", 2)[2].encode()) for line in file.read_text(encoding="utf-8").splitlines()
    ]
    for message in messages:
        schema().assertValid(message)
    return messages


def kept(trail: AuditTrail) -> None:
    trail.kept(ct().instances[0])
    trail.association_over(REMOTE, "192.0.2.7")


KINDS: dict[str, tuple[Callable[[AuditTrail], object], str, str, tuple[str, ...]]] = {
    "start": (lambda trail: trail.started(), "110100", "E", ("110150",)),
    "refusal": (lambda trail: trail.refused("EVIL", "192.0.2.9", "no such peer"), "110113", "E", ("110150", "110153")),
    "received": (kept, "110104", "C", ("110153", "110152")),
    "sending": (lambda trail: trail.sending(REMOTE, "192.0.2.7", TRANSFER), "110102", "E", ("110153", "110152")),
    "sent": (lambda trail: trail.sent(REMOTE, "192.0.2.7", TRANSFER), "110104", "R", ("110153", "110152")),
    "query": (lambda trail: trail.queried(REMOTE, "192.0.2.7", FIND, b"\0\1"), "110112", "E", ("110153", "110152")),
    "removed": (lambda trail: trail.removed(TRANSFER, "older than 30 days"), "110105", "D", ("110150",)),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_the_structure_of_the_standard(tmp_path: Path, kind: str) -> None:
    say, event, action, roles = KINDS[kind]
    first, *_, last = said(tmp_path, say)
    assert first.find("EventIdentification/EventID").get("csd-code") == event
    assert first.find("EventIdentification").get("EventActionCode") == action
    assert tuple(role.get("csd-code") for role in first.findall("ActiveParticipant/RoleIDCode")) == roles
    assert last.find("EventIdentification/EventTypeCode").get("csd-code") == "110121"  # it stopped


def test_what_is_no_audit_message_would_be_found() -> None:
    wrong = etree.fromstring("<AuditMessage><ActiveParticipant UserID='x' UserIsRequestor='true'/></AuditMessage>")
    assert not schema().validate(wrong)
