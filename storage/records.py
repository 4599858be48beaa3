"""What flows between the stages: each record is a complete sentence about what has been decided so far.

All are frozen and hold plain values, so that any stage can be run by hand from its input, and a plan can be stored,
shown, compared and run again. Times are aware UTC; dates and names are kept as the header wrote them.
"""

import hashlib
import json
import mmap
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

EncodedBytes: TypeAlias = bytes | bytearray | mmap.mmap
"""Bytes in memory, or in a file where there are too many for it."""


@dataclass(frozen=True, slots=True)
class ReceivedInstance:
    """What a peer handed over: the command's identifiers and the encoded data set exactly as sent.

    `dataset` is the receiver's own: it may be reused when the instance has been taken.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset: EncodedBytes = field(repr=False)
    calling_ae_title: str
    called_ae_title: str
    peer_address: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """Who the header says it is. Never logged. `issuer` is the Issuer of Patient ID, or the calling peer's domain."""

    patient_id: str
    issuer: str
    name: str = field(default="", repr=False)
    birth_date: str = field(default="", repr=False)
    sex: str = ""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Bytes in the object store, named by their SHA-256 (hexadecimal)."""

    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StudyHeader:
    """The study as its instances describe it."""

    study_instance_uid: str
    study_date: str = ""
    study_time: str = ""
    accession_number: str = ""
    description: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SeriesHeader:
    """The series as its first slice describes it, by Instance Number.

    `attributes` holds, by DICOM keyword and as plain JSON values, what choosing a series needs beyond the named
    fields (ImageType, Units, CorrectedImage, SequenceName, EchoTime, ConvolutionKernel, ImagesInAcquisition, …).
    `own_output` is true for what this node made itself.
    """

    series_instance_uid: str
    modality: str
    sop_class_uid: str
    frame_of_reference_uid: str = ""
    series_number: str = ""
    description: str = field(default="", repr=False)
    body_part: str = ""
    acquired_at: datetime | None = None
    own_output: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """One instance as it is kept: what it is, where its bytes are, and the headers it brought.

    `pixel_digest` is the SHA-256 of the encoded pixel data (empty when there is none): with the same SOP Instance
    UID, another `digest` but the same `pixel_digest` is a version (header values differ), another `pixel_digest` a
    conflict. `position` is Image Position (Patient) projected on the slice normal, mm, where there is one. A
    localiser lies in its series without being a slice of it. `chosen` is true where a person put these bytes in the
    place of those that came first.
    """

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    stored: StoredObject
    pixel_digest: str
    patient: PatientIdentity
    study: StudyHeader
    series: SeriesHeader
    source_ae_title: str
    received_at: datetime
    instance_number: int | None = None
    number_of_frames: int = 1
    position: float | None = None
    is_localiser: bool = False
    chosen: bool = False


class AddOutcome(StrEnum):
    """What became of an instance that was handed to the catalogue. QUARANTINED: new, of a series in quarantine."""

    NEW = "new"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"
    VERSION = "version"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class SetAsideInstance:
    """Other bytes that came under the name of an instance in use. `reason` is VERSION or CONFLICT.

    `differences` names what the headers say otherwise, by keyword; None until both were compared. `in_use` are the
    bytes that keep the name.
    """

    sop_instance_uid: str
    series_instance_uid: str
    reason: AddOutcome
    transfer_syntax_uid: str
    stored: StoredObject
    pixel_digest: str
    source_ae_title: str
    received_at: datetime
    differences: tuple[str, ...] | None = None
    in_use: StoredObject | None = None


@dataclass(frozen=True, slots=True)
class Intervention:
    """What a person decided about what was received: when, what kind, about what, why, and who."""

    at: datetime
    kind: str
    subject: str
    cause: str
    actor: str
    details: Mapping[str, Any] = field(default_factory=dict)


class StepState(StrEnum):
    """Performed Procedure Step Status (PS3.3 C.4.14)."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


@dataclass(frozen=True, slots=True)
class AnnouncedSeries:
    """What one procedure step (MPPS) or availability notification (IAN) lists of a series, and when it was said.

    `state` is that of the step, or "available".
    """

    kind: str
    state: str
    sop_instance_uids: frozenset[str]
    said_at: datetime

    @property
    def is_final(self) -> bool:
        """Whether whoever said it adds no more."""
        return self.state != StepState.IN_PROGRESS


@dataclass(frozen=True, slots=True)
class Announcements:
    """What was said about a series, and how many steps of its study and modality are still in progress."""

    listed: tuple[AnnouncedSeries, ...] = ()
    in_progress: int = 0


class SeriesState(StrEnum):
    """Whether more instances are expected."""

    RECEIVING = "receiving"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class SeriesRecord:
    """One series of the catalogue, with its patient and study.

    `due_at` is when quiet time ends; `evidence` says why it is held to be complete. `instance_count` includes the
    localisers; `contradictions` names what its slices say differently about patient or study. `held_for` says why it is
    in quarantine: it is not matched until a person has released it. `corrected` is true where a person has said whose
    images these are: `patient` then is not what the headers say.
    """

    header: SeriesHeader
    study: StudyHeader
    patient: PatientIdentity
    source_ae_title: str
    state: SeriesState
    instance_count: int
    first_received_at: datetime
    last_received_at: datetime
    due_at: datetime | None = None
    evidence: tuple[str, ...] = ()
    localiser_count: int = 0
    contradictions: tuple[str, ...] = ()
    held_for: tuple[str, ...] = ()
    corrected: bool = False

    @property
    def series_instance_uid(self) -> str:
        """Its name."""
        return self.header.series_instance_uid


@dataclass(frozen=True, slots=True)
class SeriesChoice:
    """One series that a plan uses, the instances it consisted of when it was chosen, and why it was."""

    series_instance_uid: str
    study_instance_uid: str
    modality: str
    frame_of_reference_uid: str
    sop_instance_uids: tuple[str, ...]
    description: str = field(default="", repr=False)
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a plan is carried out: registrar, method, outputs and gate, by name and parameters."""

    name: str
    registrar: str = "auto"
    registrar_parameters: Mapping[str, Any] = field(default_factory=dict)
    method: str = "alpha_blend"
    method_parameters: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ("registered_series", "fused_colour", "spatial_registration", "quality_report")
    output_parameters: Mapping[str, Any] = field(default_factory=dict)
    gate: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FusionPlan:
    """What is to be fused with what, how, where it is filed, and the reason for each choice.

    `content_digest` names the voxels themselves, where no ledger vouches that what has a UID never changes: a plan of
    files, or of instances of which a person chose other bytes than those that came first, or said whose they are. It is
    part of the key then, and the results are named by what came out too.
    """

    fixed: SeriesChoice
    moving: tuple[SeriesChoice, ...]
    recipe: Recipe
    rule: str
    file_in_study_uid: str
    destinations: tuple[str, ...] = ()
    identity_is_default: tuple[bool, ...] = ()
    reasons: tuple[str, ...] = ()
    content_digest: str = ""

    @property
    def key(self) -> str:
        """SHA-256 over the rule, the inputs, the recipe and the study to file in: the same wish has the same key."""
        wish = {
            "rule": self.rule,
            "fixed": sorted(self.fixed.sop_instance_uids),
            "moving": [sorted(choice.sop_instance_uids) for choice in self.moving],
            "recipe": asdict(self.recipe),
            "file_in": self.file_in_study_uid,
        }
        if self.content_digest:
            wish["content"] = self.content_digest
        return hashlib.sha256(json.dumps(wish, sort_keys=True).encode()).hexdigest()

    @property
    def series_instance_uids(self) -> tuple[str, ...]:
        """Every series that the plan reads, the fixed one first."""
        return (self.fixed.series_instance_uid, *(choice.series_instance_uid for choice in self.moving))


class CaseState(StrEnum):
    """Where a case stands."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    ACCEPTED = "accepted"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    REVIEW = "review"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One transition of a case: when, from where to where, why, and who."""

    at: datetime
    from_state: CaseState | None
    to_state: CaseState
    cause: str
    actor: str


@dataclass(frozen=True, slots=True)
class DerivedInstance:
    """One object that the node made, as it lies in the object store (a whole DICOM file)."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    stored: StoredObject


@dataclass(frozen=True, slots=True)
class DerivedSeries:
    """One series that the node made. `kind` is the output's name in the recipe."""

    kind: str
    series_instance_uid: str
    study_instance_uid: str
    modality: str
    description: str
    instances: tuple[DerivedInstance, ...]


@dataclass(frozen=True, slots=True)
class ReviewVolume:
    """A volume to look at when the case is reviewed: of the moving series `position`, showing `kind`, as .nii.gz."""

    position: int
    kind: str
    stored: StoredObject


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What running a plan gave. `reports` has one entry per moving series, as plain values for JSON."""

    verdict: str
    reports: tuple[Mapping[str, Any], ...]
    derived: tuple[DerivedSeries, ...]
    review: tuple[ReviewVolume, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One case of the ledger. `step` is what a running one is at."""

    case_id: str
    plan: FusionPlan
    state: CaseState
    patient_key: str = field(repr=False)
    created_at: datetime
    updated_at: datetime
    attempts: int = 0
    error: str = ""
    result: CaseResult | None = None
    step: str = ""
    replaced_by: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run one case until `lease_until`; `token` fences off whoever held it before."""

    case: CaseRecord
    token: str
    lease_until: datetime


class Rejection(StrEnum):
    """Why results are taken back: the title of the note that says so (PS3.16 CID 7011, IHE RAD TF-3 4.66).

    QUALITY: they are of the right patient, and better ones follow or nobody wants them. WORKLIST: they were filed under
    an identity that was wrong. SAFETY: whoever looks at them may be misled.
    """

    QUALITY = "113001"
    SAFETY = "113037"
    WORKLIST = "113038"


@dataclass(frozen=True, slots=True)
class NoteDue:
    """A case whose results were taken back, and which peers may have them and were not told.

    `state`, `cause` and `at` are those of its last transition.
    """

    case_id: str
    state: CaseState
    rejection: Rejection
    cause: str
    at: datetime
    series: tuple[DerivedSeries, ...]
    destinations: tuple[str, ...]


class DeliveryState(StrEnum):
    """Where a delivery stands. `sent` waits for storage commitment where the peer has it."""

    PENDING = "pending"
    SENT = "sent"
    COMMITTED = "committed"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One derived series on its way to one destination.

    `refused` holds, by SOP Instance UID, the status with which the peer refused an instance. `is_note` is true of the
    note that takes back what was delivered of the case.
    """

    delivery_id: int
    case_id: str
    destination: str
    series: DerivedSeries
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    last_error: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
    commitment_uid: str = ""
    is_note: bool = False


class CommitmentState(StrEnum):
    """Whether a peer that asked for storage commitment has been answered."""

    OPEN = "open"
    REPORTED = "reported"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """What a peer wants to know whether we hold it: (SOP class, SOP instance) pairs under a Transaction UID.

    `failed` says, once it is reported, what was not held and why, by SOP Instance UID.
    """

    request_id: int
    peer: str
    transaction_uid: str
    references: tuple[tuple[str, str], ...]
    state: CommitmentState
    attempts: int
    next_attempt_at: datetime | None
    last_error: str = ""
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartnerWanted:
    """What a rule misses: a study of `modality` of the patient, acquired between the two times.

    `series_instance_uid` is the series that waits for it, `study_instance_uid` its study.
    """

    rule: str
    modality: str
    patient: PatientIdentity
    study_instance_uid: str
    series_instance_uid: str
    earliest: datetime
    latest: datetime


class FetchState(StrEnum):
    """Where the fetching of a partner stands. `refused`: found, but not to be had by the limits or the identity."""

    WANTED = "wanted"
    FETCHING = "fetching"
    ARRIVED = "arrived"
    NOTHING = "nothing"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FetchSeries:
    """A series at a peer. `instances` is how many the peer says there are, 0 where it does not say."""

    study_instance_uid: str
    series_instance_uid: str
    instances: int = 0


@dataclass(frozen=True, slots=True)
class Fetch:
    """A partner that is asked of a peer, why it is where it is, and the series that are brought."""

    fetch_id: int
    rule: str
    modality: str
    peer: str
    for_series_uid: str
    patient: PatientIdentity
    earliest: datetime
    latest: datetime
    state: FetchState
    reason: str
    attempts: int
    next_attempt_at: datetime | None
    series: tuple[FetchSeries, ...] = ()


class Role(StrEnum):
    """What a person or a key may do; each may also do what those before it may."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    ADMINISTRATOR = "administrator"

    def covers(self, other: "Role") -> bool:
        """Whether who has this role may do what `other` may."""
        ranks = tuple(Role)
        return ranks.index(self) >= ranks.index(other)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in. `subject` names the account of an identity provider, empty for a local user."""

    user_id: int
    name: str
    role: Role
    password_hash: str = field(repr=False)
    subject: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class WebSession:
    """One login: whose it is, the word that its forms carry, and until when it lasts."""

    session_id: int
    user: User
    form_word: str = field(repr=False)
    address: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A script's key: what it may do (`role`), in which areas of the interface (`scopes`), and until when."""

    key_id: int
    name: str
    role: Role
    scopes: tuple[str, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Switch:
    """Something that a person has switched on or off, which outlives a restart."""

    name: str
    is_on: bool
    reason: str
    actor: str
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class FailingDestination:
    """A destination that does not take what it is sent: how many series, since when at least, and its last error."""

    destination: str
    deliveries: int
    since: datetime
    last_error: str
