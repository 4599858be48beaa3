"""The conformance statement, made from the tables that the node runs on (after PS3.2), and the command that prints it.

`deploy/CONFORMANCE.md` is what this version prints; a test holds the two equal.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from storage.holdings import KEYS
from storage.records import Rejection

from .. import settings as node_settings
from ..network.association import MAX_CONTEXTS
from ..network.find import RETURN_KEYS
from ..network.sop_classes import STORAGE_CLASSES, TRANSFER_SYNTAXES, VERIFICATION, NamedUid
from ..prefetch.retrieve import MOST_SYNTAXES
from ..prefetch.search import STUDY_KEYS
from ..receive import announcements
from ..receive.status import OUTCOMES, STATUSES, SUCCESS
from ..send.rejection_note import TITLES
from ..send.storage_commitment import FAILURE_REASONS
from ..send.transcode import COMPRESSIONS, FALLBACKS

NAMES = {named.uid: named.name for named in (*STORAGE_CLASSES, *TRANSFER_SYNTAXES)}

COMMITMENT = NamedUid("Storage Commitment Push Model SOP Class", "1.2.840.10008.1.20.1")
MPPS = NamedUid("Modality Performed Procedure Step SOP Class", "1.2.840.10008.3.1.2.3.3")
AVAILABILITY = NamedUid("Instance Availability Notification SOP Class", "1.2.840.10008.5.1.4.33")
PATIENT_ROOT_FIND = NamedUid("Patient Root Query/Retrieve Information Model – FIND", "1.2.840.10008.5.1.4.1.2.1.1")
RETRIEVALS = tuple(
    NamedUid(f"{root} Root Query/Retrieve Information Model – {what}", f"1.2.840.10008.5.1.4.1.2.{number}.{end}")
    for root, number in (("Patient", 1), ("Study", 2))
    for what, end in (("MOVE", 2), ("GET", 3))
)
STUDY_ROOT_FIND = NamedUid("Study Root Query/Retrieve Information Model – FIND", "1.2.840.10008.5.1.4.1.2.2.1")

DERIVED_CLASSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "registered_series": tuple(f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "4", "128", "20")),
        "fused_colour": ("1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.7.4"),
        "spatial_registration": ("1.2.840.10008.5.1.4.1.1.66.1", "1.2.840.10008.5.1.4.1.1.66.3"),
        "quality_report": ("1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.88.34"),
        "parametric_map": ("1.2.840.10008.5.1.4.1.1.30",),
        "expected_error": ("1.2.840.10008.5.1.4.1.1.30",),
        "jacobian": ("1.2.840.10008.5.1.4.1.1.30",),
        "contribution": ("1.2.840.10008.5.1.4.1.1.30",),
        "explanation": ("1.2.840.10008.5.1.4.1.1.30",),
        "fused_together": ("1.2.840.10008.5.1.4.1.1.7",),
    }
)
"""What each output is written as."""

DERIVED_MEANING: Mapping[str, str] = MappingProxyType(
    {
        "registered_series": "the moving series on the grid and in the Frame of Reference of the fixed one, in the "
        "object class of its own modality (CT, MR, PT, NM), with its quantities",
        "fused_colour": "the fused images in RGB with geometry, Modality OT; single-frame, or one multi-frame object "
        "where the recipe says `fused_multi_frame`",
        "spatial_registration": "the transform, Modality REG; a deformable one as displacements on a grid",
        "quality_report": "a page to look at (Modality OT) and a Comprehensive 3D SR with the measurements",
        "parametric_map": "the moving quantity as float32 on the fixed grid, Modality OT",
        "expected_error": "the expected error of the registration in mm as float32 on the fixed grid, Modality OT",
        "jacobian": "of a deformable registration the Jacobian determinant as float32 on the fixed grid, Modality OT",
        "contribution": "the share of the fixed image in each fused voxel as float32 on the fixed grid, Modality OT",
        "explanation": "of a learned method saliency, class activation, relevance and attention as float32 on the "
        "fixed grid, a map an instance, Modality OT",
        "fused_together": "of a plan with several moving series all of them and the fixed one as one fused image, RGB "
        "with geometry, Modality OT",
    }
)


REASONS: Mapping[Rejection, str] = MappingProxyType(
    {
        Rejection.QUALITY: "late slices came or better series did, or a person said so (the default)",
        Rejection.SAFETY: "a person said so: `dicomnode cases withdraw --because safety`",
        Rejection.WORKLIST: "the patient was merged or the study moved: `dicomnode identity`",
    }
)
"""When which note is sent."""

ANNOUNCEMENT_STATUSES: tuple[tuple[str, str], ...] = (
    (f"0x{announcements.SUCCESS:04X}", "noted, durably"),
    (f"0x{announcements.INVALID_ATTRIBUTE_VALUE:04X}", "a step does not begin IN PROGRESS, or its status is none"),
    (
        f"0x{announcements.PROCESSING_FAILURE:04X}",
        "the data set cannot be read, the step has ended, or the node failed",
    ),
    (f"0x{announcements.DUPLICATE_SOP_INSTANCE:04X}", "the step was begun before"),
    (f"0x{announcements.NO_SUCH_SOP_INSTANCE:04X}", "the step was not begun here"),
    (f"0x{announcements.NO_SUCH_SOP_CLASS:04X}", "instances of another SOP class are not created"),
    (f"0x{announcements.MISSING_ATTRIBUTE:04X}", "study or series are not named"),
    (f"0x{announcements.RESOURCE_LIMITATION:04X}", "the database does not answer; try again"),
)


def conformance() -> None:
    """Print the DICOM conformance statement of this version (Markdown)."""
    sys.stdout.write(statement())


def statement() -> str:
    """The whole statement as Markdown."""
    return "\n".join(
        line
        for section in (
            *(_head(), _services(), _storage_scp(), _announcements(), _policies()),
            *(_dicomweb(), _sending(), _taking_back(), _derived(), _rest()),
        )
        for line in section
    )


def _head() -> Iterator[str]:
    yield "# DICOM conformance statement"
    yield ""
    yield "Made by `dicomnode conformance` from the tables that the node runs on. Do not edit."
    yield ""
    yield "The node is research software, not a medical device."
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| Manufacturer | {node_settings.OWN_MANUFACTURER} |"
    yield f"| Manufacturer's model name | {node_settings.OWN_MODEL_NAME} |"
    yield f"| Implementation Class UID | {node_settings.OWN_IMPLEMENTATION_UID} |"
    yield f"| Implementation Version Name | {node_settings.OWN_IMPLEMENTATION_VERSION} |"
    yield ""


def _services() -> Iterator[str]:
    yield "## Network services"
    yield ""
    yield from _table(
        ("Service", "SOP class", "SCU", "SCP"),
        (
            ("Verification", _named(VERIFICATION), "yes", "yes"),
            ("Storage", f"{len(STORAGE_CLASSES)} classes, below", "yes", "yes"),
            ("Storage commitment, push model", _named(COMMITMENT), "yes", "yes"),
            ("Modality performed procedure step", _named(MPPS), "no", "yes"),
            ("Instance availability notification", _named(AVAILABILITY), "no", "yes"),
            ("Query", _named(PATIENT_ROOT_FIND), "yes", "no"),
            ("Query", _named(STUDY_ROOT_FIND), "yes", "no"),
            *(("Retrieve", _named(retrieval), "yes", "no") for retrieval in RETRIEVALS),
            ("DICOMweb", "QIDO-RS, WADO-RS, STOW-RS (as user agent: studies and series)", "yes", "yes"),
        ),
    )
    yield "The node answers no query and hands out no instance over DIMSE."
    yield ""


def _dicomweb() -> Iterator[str]:
    yield "## DICOMweb as origin server"
    yield ""
    yield (
        "Below `/dicom-web` of `web.port`, for logins and for keys with the scope `dicomweb`. Held and shown are "
        "received instances in use, and the derived series of cases that were accepted: nothing in quarantine or set "
        "aside, and nothing derived that waits for review, was rejected, withdrawn or replaced."
    )
    yield ""
    yield from _table(
        ("Service", "What", "How"),
        (
            ("QIDO-RS", "studies, series, instances", "`includefield`, `limit`, `offset`; DICOM JSON"),
            (
                "WADO-RS",
                "study, series, instance",
                (
                    "`multipart/related; type=application/dicom`, one instance also alone; as stored "
                    "(`transfer-syntax=*`) or, where it can be written, Explicit VR Little Endian or the one asked for"
                ),
            ),
            ("WADO-RS", "metadata", "DICOM JSON with BulkDataURI"),
            ("WADO-RS", "frames", "`application/octet-stream`, as stored or uncompressed"),
            ("WADO-RS", "rendered, thumbnail", "`image/jpeg`, `image/png`; `window`, `viewport`, `quality`"),
            ("WADO-RS", "bulkdata", "`application/octet-stream`"),
            ("STOW-RS", "studies, study", "`multipart/related; type=application/dicom`; role reviewer or more"),
        ),
    )
    yield "Keys that are matched (single value, list of UIDs, wildcard, range of dates and times, universal):"
    yield ""
    yield from _table(("Level", "Keys"), ((level.value, ", ".join(keys)) for level, keys in KEYS.items()))
    yield (
        "Names match whatever the case of their letters; there is no fuzzy matching and none of dates combined with "
        "times. A key that is not matched is named in a Warning header. Attributes that are asked for and are no keys "
        "are read from the header of the first instance. Headers are handed out as they came, also those of a patient "
        "who was merged since; queries answer with the patient of today."
    )
    yield ""


def _storage_scp() -> Iterator[str]:
    yield "## Storage as SCP"
    yield ""
    yield (
        "Level 2 (full): the data set is kept as it was sent, whatever attributes it has, in the transfer syntax in "
        "which it was sent. Every storage class below is accepted in every transfer syntax below. Of what a "
        "presentation context proposes, the first syntax of this list is taken."
    )
    yield ""
    yield from _table(("Storage SOP class", "UID"), STORAGE_CLASSES)
    yield from _table(("Transfer syntax", "UID"), TRANSFER_SYNTAXES)
    uncompressed = ", ".join(syntax.name for syntax in TRANSFER_SYNTAXES[:3])
    yield f"Verification is accepted in {uncompressed}."
    yield ""
    yield "### Statuses of C-STORE"
    yield ""
    yield from _table(("Status", "Meaning in the standard", "When"), _statuses())
    yield (
        "0x0000 is answered only when the bytes of the instance are on the disk under their final name and its row is "
        "in the database. The same instance once more is 0x0000 and changes nothing, also in another transfer syntax "
        "when header and decoded pixels are equal. With 0xB000 for another header the Error Comment (0000,0902) names "
        "its elements. A failure leaves nothing visible; its Error Comment says what is wrong and never quotes a "
        "patient."
    )
    yield ""


def _statuses() -> Iterator[tuple[str, str, str]]:
    occasions: dict[tuple[int, str], list[str]] = {(SUCCESS.code, SUCCESS.clause): ["the instance is kept"]}
    for outcome in OUTCOMES.values():
        if outcome is not SUCCESS:
            occasions.setdefault((outcome.code, outcome.clause), []).append(_lower(outcome.comment))
    for error, status in STATUSES.items():
        occasions.setdefault((status.code, status.clause), []).append(_when(error))
    for (code, clause), when in sorted(occasions.items()):
        yield f"0x{code:04X}", clause, "; ".join(when)


def _when(error: type[Exception]) -> str:
    if error is Exception:
        return "anything unforeseen"
    return _lower((error.__doc__ or error.__name__).strip().splitlines()[0].rstrip("."))


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _policies() -> Iterator[str]:
    node = node_settings.NodeSettings()
    yield "## Associations"
    yield ""
    yield from _table(
        ("Policy", "Default", "Setting"),
        (
            ("AE title", node.ae_title, "`node.ae_title`"),
            ("Address and port", f"{node.host}:{node.port}", "`node.host`, `node.port`"),
            (
                "Called AE title must be the node's",
                _yes(node.require_called_ae_title),
                "`node.require_called_ae_title`",
            ),
            ("Calling AE titles that are let in", "the peers of the settings", "`node.accept_unknown_peers`"),
            ("Associations at once", str(node.max_associations), "`node.max_associations`"),
            ("Largest PDU received", f"{node.max_pdu_bytes} bytes", "`node.max_pdu_bytes`"),
            ("Association timeout", f"{node.acse_timeout_s:g} s", "`node.acse_timeout_s`"),
            ("DIMSE timeout", f"{node.dimse_timeout_s:g} s", "`node.dimse_timeout_s`"),
            ("Idle connection is dropped after", f"{node.network_timeout_s:g} s", "`node.network_timeout_s`"),
            ("Presentation contexts requested", f"up to {MAX_CONTEXTS} an association", ""),
            ("Asynchronous operations window", "not used", ""),
        ),
    )
    yield (
        "A wrong called or calling AE title is rejected for good; an association above the limit is rejected for a "
        "while. Where the settings ask for it, a calling AE title from another address is rejected as unknown, and a "
        "peer without its TLS or certificate without reason, both for good. The node negotiates no user identity."
    )
    yield ""


def _sending() -> Iterator[str]:
    yield "## Storage as SCU"
    yield ""
    yield (
        "Derived series are sent over one association each. For every instance the node proposes its own transfer "
        "syntax and, in contexts of their own, "
        f"{_enumeration(FALLBACKS)}; where `peers.NAME.transfer_syntaxes` is set, exactly those of them that the "
        f"instance has or can be written in ({_enumeration(dict.fromkeys((*FALLBACKS, *COMPRESSIONS)))}). A warning "
        "counts as stored. What is refused or not answered is tried again as the section `sending` says."
    )
    yield ""
    yield "### Storage commitment"
    yield ""
    yield (
        "With `peers.NAME.storage_commitment` the node requests commitment (N-ACTION) for each series that was sent, "
        "and takes the report (N-EVENT-REPORT) on the same association or on one that the peer opens, proposing itself "
        "as SCP. Without a report after `peers.NAME.commitment_timeout_s` it asks again. Instances that the peer does "
        "not hold are sent again. Failure reasons that are told in words:"
    )
    yield ""
    yield from _table(
        ("Failure Reason (0008,1197)", "Meaning"),
        ((f"0x{code:04X}", meaning) for code, meaning in FAILURE_REASONS.items()),
    )
    yield (
        "As SCP the node takes a request once it is durable, and reports on an association of its own to the peer's "
        "`host` and `port`, proposing itself as SCP, or on that of the request (`peers.NAME.commitment_report`; the "
        "only way for a peer that the settings do not name). A report that is not taken is made again as the section "
        "`sending` says, also after a restart. It commits to an instance whose bytes on disk have their digest; the "
        "others fail with 0x0112 (not here), 0x0119 (of another SOP class) or 0x0110 (damaged). A request of a peer "
        "that may not ask is answered 0x0124, one without Transaction UID or instances, or with the Transaction UID of "
        "another request, 0x0115, another action type 0x0123."
    )
    yield ""
    yield "### Query"
    yield ""
    yield (
        "`dicomnode find` asks with Study Root, at the level PATIENT, and of peers that accept nothing else, with "
        "Patient Root. These keys are always asked for; the person who asks adds others, and what they must match."
    )
    yield ""
    yield from _table(("Level", "Return keys"), ((level, ", ".join(keys)) for level, keys in RETURN_KEYS.items()))
    yield "### Retrieval of missing partners"
    yield ""
    yield (
        "Where a rule names peers in `prefetch_from`, a series that waits for a partner makes the node ask them: for "
        "studies of the Patient ID, of the dates that the rule's window allows and of the modality, then for their "
        "series. What the peer says of the patient must agree as in matching: "
        f"{', '.join(STUDY_KEYS[2:6])}. The series are then moved to the node (C-MOVE), brought by C-GET, for which "
        f"the node proposes every storage class as SCP, image classes in {MOST_SYNTAXES} transfer syntaxes and the "
        "others uncompressed, or by WADO-RS, as each is kept (transfer-syntax=*). `dicomnode fetch` does it by hand."
    )
    yield ""


def _announcements() -> Iterator[str]:
    yield "## Procedure steps and availability as SCP"
    yield ""
    yield (
        "Modalities may report their performed procedure steps (N-CREATE, N-SET), archives that instances are "
        "available (N-CREATE). What they list is evidence of when a series is whole; of the patient nothing is kept. A "
        "step begins IN PROGRESS and names the Study Instance UID of a scheduled step; one that becomes COMPLETED "
        "lists its series; one that has ended is not changed any more (Error ID A710). Other attributes are neither "
        "checked nor kept, and steps cannot be retrieved. Instances whose Instance Availability is UNAVAILABLE are not "
        "waited for."
    )
    yield ""
    yield from _table(("Status", "When"), ANNOUNCEMENT_STATUSES)


def _taking_back() -> Iterator[str]:
    yield "### Results that are taken back"
    yield ""
    yield (
        "When a case is withdrawn or replaced after results were sent, every destination gets a Key Object Selection "
        "in the study of the results (IHE RAD TF-3 4.66, Imaging Object Change Management), unless "
        "`peers.NAME.rejection_notes` is false. New results say in their Series Description which series they replace. "
        "With `peers.NAME.delete` the results are then deleted over HTTP, by DICOMweb resource or by Orthanc's own "
        "interface; the standard has no service for that."
    )
    yield ""
    yield from _table(
        ("Document title", "When"),
        ((f"({reason.value}, DCM, {TITLES[reason]})", REASONS[reason]) for reason in Rejection),
    )


def _derived() -> Iterator[str]:
    yield "## Objects that the node makes"
    yield ""
    yield from _table(
        ("Output", "What it is", "SOP classes"),
        (
            (f"`{kind}`", DERIVED_MEANING[kind], "; ".join(NAMES[uid] for uid in classes))
            for kind, classes in DERIVED_CLASSES.items()
        ),
    )
    yield (
        "They are written in Explicit VR Little Endian, in new series of the study that the plan names, with Image "
        "Type DERIVED, the sources, the plan and the parameters that made them, and a Series Description that "
        "says what they are not for. The UIDs are of the root 2.25 (PS3.5 B.2). An instance is made once and sent as "
        "the same bytes ever after."
    )
    yield ""


def _rest() -> Iterator[str]:
    yield "## Character sets"
    yield ""
    yield (
        "Received data sets are kept in the character set in which they came; every set of PS3.3 C.12.1.1.2 that "
        "pydicom knows is understood. Derived objects are written in ISO_IR 192 (UTF-8). Queries are sent in "
        "ISO_IR 192 where they need more than ASCII, else in the default repertoire."
    )
    yield ""
    yield "## Private attributes, security, configuration"
    yield ""
    yield (
        "The node defines no private attributes; a registered PET series keeps the private quantities of its source "
        "(Philips) under their own creator. As SCP on a port of its own and as SCU it implements the Non-Downgrading "
        "BCP 195 TLS Secure Transport Connection Profile (PS3.15 B.10) with TLS 1.2 and 1.3, elliptic curves only; see "
        "`docs/administrators/security.md`. Everything is configured by one file: `deploy/node.example.toml`."
    )
    yield ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _named(named: NamedUid) -> str:
    return f"{named.name} ({named.uid})"


def _enumeration(uids: Iterable[str]) -> str:
    *first, last = (NAMES[uid] for uid in uids)
    return f"{', '.join(first)} and {last}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
