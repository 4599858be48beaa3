"""Audit messages in the XML of PS3.15 A.5: who did what to whose objects.

Of a patient only the ID is said, as the participant object that the standard asks for (A.5.3.7); never a name.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, tostring

APPLICATION_ACTIVITY = ("110100", "Application Activity")
BEGIN_TRANSFERRING = ("110102", "Begin Transferring DICOM Instances")
INSTANCES_ACCESSED = ("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = ("110104", "DICOM Instances Transferred")
STUDY_DELETED = ("110105", "DICOM Study Deleted")
QUERY = ("110112", "Query")
SECURITY_ALERT = ("110113", "Security Alert")
USER_AUTHENTICATION = ("110114", "User Authentication")
APPLICATION_START, APPLICATION_STOP = ("110120", "Application Start"), ("110121", "Application Stop")
LOGIN, LOGOUT = ("110122", "Login"), ("110123", "Logout")
NODE_AUTHENTICATION = ("110126", "Node Authentication")
RESTRICTED_FUNCTION = ("110132", "Use of Restricted Function")
APPLICATION, DESTINATION, SOURCE = ("110150", "Application"), ("110152", "Destination"), ("110153", "Source")
USER = ("113875", "Operator")
STUDY_INSTANCE_UID, SOP_CLASS_UID, NODE_ID = (
    ("110180", "Study Instance UID"),
    ("110181", "SOP Class UID"),
    ("110182", "Node ID"),
)
Code = tuple[str, str]
"""Value and meaning in the DICOM controlled terminology (PS3.16 D)."""

SUCCESS, MINOR_FAILURE = "0", "4"
WITHHELD = "withheld"
"""Stands for the name of a patient."""

NO_XML = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Participant:
    """A process or a person that took part: AE title, process ID or name, its address, and what it was in it."""

    user_id: str
    role: Code
    is_requestor: bool
    address: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Instances of one study and patient, counted by SOP class."""

    study_instance_uid: str
    patient_id: str = field(repr=False)
    instances: Mapping[str, int]


def message(
    event: Code,
    action: str,
    participants: Sequence[Participant],
    source_id: str,
    *,
    event_type: Code | None = None,
    outcome: str = SUCCESS,
    description: str = "",
) -> Element:
    """An audit message without objects (PS3.15 A.5.2); `action` is C, R, U, D or E."""
    root = Element("AuditMessage")
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    said = {"EventActionCode": action, "EventDateTime": now, "EventOutcomeIndicator": outcome}
    identification = SubElement(root, "EventIdentification", said)
    _coded(identification, "EventID", event)
    if event_type is not None:
        _coded(identification, "EventTypeCode", event_type)
    if description:
        SubElement(identification, "EventOutcomeDescription").text = _clean(description)
    for one in participants:
        values = {"UserID": _clean(one.user_id) or "unknown", "UserIsRequestor": str(one.is_requestor).lower()}
        if one.address:
            values |= {"NetworkAccessPointID": _clean(one.address), "NetworkAccessPointTypeCode": "2"}
        _coded(SubElement(root, "ActiveParticipant", values), "RoleIDCode", one.role)
    SubElement(root, "AuditSourceIdentification", {"AuditSourceID": _clean(source_id)})
    return root


def add_transfer(root: Element, transfer: Transfer) -> None:
    """The study and the patient whose instances it is about (PS3.15 A.5.3.7)."""
    study = _object(root, transfer.study_instance_uid, "2", "3")
    _coded(study, "ParticipantObjectIDTypeCode", STUDY_INSTANCE_UID)
    _named(study, transfer.study_instance_uid)
    described = SubElement(study, "ParticipantObjectDescription")
    for uid, count in sorted(transfer.instances.items()):
        SubElement(described, "SOPClass", {"UID": _clean(uid), "NumberOfInstances": str(count)})
    patient = _object(root, transfer.patient_id, "1", "1")
    _coded(patient, "ParticipantObjectIDTypeCode", ("2", "Patient Number"), "RFC-3881")
    _named(patient, WITHHELD)


def add_query(root: Element, sop_class_uid: str, query: bytes) -> None:
    """What was asked for: the identifier as it was encoded (PS3.15 A.5.3.10)."""
    asked = _object(root, sop_class_uid, "2", "3")
    _coded(asked, "ParticipantObjectIDTypeCode", SOP_CLASS_UID)
    SubElement(asked, "ParticipantObjectQuery").text = base64.b64encode(query).decode("ascii")


def add_node(root: Element, name: str, description: str) -> None:
    """The node that an alert is about (PS3.15 A.5.3.11)."""
    node = _object(root, name or "unknown", "2", "13")
    _coded(node, "ParticipantObjectIDTypeCode", NODE_ID)
    _named(node, name)
    detail = base64.b64encode(description.encode()).decode("ascii")
    SubElement(node, "ParticipantObjectDetail", {"type": "Alert Description", "value": detail})


def xml_of(root: Element) -> str:
    """The message on one line."""
    return tostring(root, encoding="unicode").replace("\r", "&#13;").replace("\n", "&#10;")


def _object(root: Element, identifier: str, kind: str, role: str) -> Element:
    values = {"ParticipantObjectID": _clean(identifier) or "unknown"}
    values |= {"ParticipantObjectTypeCode": kind, "ParticipantObjectTypeCodeRole": role}
    return SubElement(root, "ParticipantObjectIdentification", values)


def _named(parent: Element, name: str) -> None:
    """The schema wants a name or a query in every object."""
    SubElement(parent, "ParticipantObjectName").text = _clean(name) or "unknown"


def _coded(parent: Element, name: str, code: Code, system: str = "DCM") -> None:
    SubElement(parent, name, {"csd-code": code[0], "codeSystemName": system, "originalText": code[1]})


def _clean(text: str) -> str:
    """A peer may say what no XML may hold."""
    return NO_XML.sub("?", text)
