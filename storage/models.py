"""The tables: what was received (patients to instances), decided (cases) and sent (deliveries), and who may see it.

A patient is keyed by issuer and ID alone. Names, birth dates and sexes are facts of a series, as its first slice says
them: two series of one ID that contradict each other both stay as they came, and matching compares them. A study is as
the first instance that came described it. What slices of one series say differently is noted in the series.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from .column_types import HeaderText, Named, UtcTime
from .records import (
    AddOutcome,
    CaseState,
    CommitmentState,
    DeliveryState,
    FetchState,
    Rejection,
    Role,
    SeriesState,
    StepState,
)

RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up only in a column that is called INTEGER."""


class Base(DeclarativeBase):
    """The ledger. Names of constraints are fixed, so that a migration can find them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcTime, str: HeaderText, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


class PatientRow(Base):
    """One patient ID of one issuer. `folded_id` is what lookups compare: no spaces, no case."""

    __tablename__ = "patients"
    __table_args__ = (UniqueConstraint("issuer", "patient_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    issuer: Mapped[str]
    patient_id: Mapped[str]
    folded_id: Mapped[str] = mapped_column(index=True)


class StudyRow(Base):
    """One study, as its first instance described it."""

    __tablename__ = "studies"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(unique=True)
    patient_row_id: Mapped[int] = mapped_column(ForeignKey("patients.id"), index=True)
    study_date: Mapped[str] = mapped_column(index=True)
    study_time: Mapped[str]
    accession_number: Mapped[str] = mapped_column(index=True)
    description: Mapped[str]


class SeriesRow(Base):
    """One series, as its first slice describes it (see `series_facts`), and how far it has come.

    Since `held_at` it is in quarantine, for what `held_for` says; `accepted` are contradictions that a person settled.
    Since `corrected_at` its patient is not the one that its slices name.
    """

    __tablename__ = "series"
    __table_args__ = (
        Index(None, "state", "due_at"),
        Index(None, "state", "matched_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    series_instance_uid: Mapped[str] = mapped_column(unique=True)
    study_row_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    patient_row_id: Mapped[int] = mapped_column(ForeignKey("patients.id"), index=True)
    patient_name: Mapped[str]
    patient_birth_date: Mapped[str] = mapped_column(index=True)
    patient_sex: Mapped[str]
    modality: Mapped[str]
    sop_class_uid: Mapped[str]
    frame_of_reference_uid: Mapped[str]
    series_number: Mapped[str]
    description: Mapped[str]
    body_part: Mapped[str]
    acquired_at: Mapped[datetime | None]
    own_output: Mapped[bool] = mapped_column(Boolean)
    attributes: Mapped[dict[str, Any]]
    source_ae_title: Mapped[str]
    state: Mapped[SeriesState] = mapped_column(Named(SeriesState))
    instance_count: Mapped[int]
    first_received_at: Mapped[datetime]
    last_received_at: Mapped[datetime] = mapped_column(index=True)
    due_at: Mapped[datetime | None]
    evidence: Mapped[list[Any]]
    matched_at: Mapped[datetime | None]
    header_order: Mapped[str]
    localiser_count: Mapped[int]
    contradictions: Mapped[list[Any]]
    held_at: Mapped[datetime | None]
    held_for: Mapped[list[Any] | None]
    accepted: Mapped[list[Any] | None]
    corrected_at: Mapped[datetime | None]

    study: Mapped[StudyRow] = relationship(lazy="raise")
    patient: Mapped[PatientRow] = relationship(lazy="raise")


class InstanceRow(Base):
    """One instance in use."""

    __tablename__ = "instances"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(unique=True)
    series_row_id: Mapped[int] = mapped_column(ForeignKey("series.id"), index=True)
    sop_class_uid: Mapped[str]
    transfer_syntax_uid: Mapped[str]
    digest: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    pixel_digest: Mapped[str] = mapped_column(String(64))
    source_ae_title: Mapped[str]
    received_at: Mapped[datetime]
    instance_number: Mapped[int | None] = mapped_column(BigInteger)
    number_of_frames: Mapped[int]
    position: Mapped[float | None] = mapped_column(Double)
    is_localiser: Mapped[bool] = mapped_column(Boolean)
    chosen_at: Mapped[datetime | None]


class SetAsideRow(Base):
    """Other bytes that came under the name of an instance in use: a version or a conflict.

    `differences` names what their headers say otherwise; None until both were compared.
    """

    __tablename__ = "set_aside"
    __table_args__ = (UniqueConstraint("instance_row_id", "digest"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    instance_row_id: Mapped[int] = mapped_column(ForeignKey("instances.id"))
    reason: Mapped[AddOutcome] = mapped_column(Named(AddOutcome))
    digest: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    pixel_digest: Mapped[str] = mapped_column(String(64))
    transfer_syntax_uid: Mapped[str]
    source_ae_title: Mapped[str]
    received_at: Mapped[datetime]
    differences: Mapped[list[Any] | None]


class IdentityChangeRow(Base):
    """Whose images those of a patient (a merge) or of a study (a move) are, whatever their headers say."""

    __tablename__ = "identity_changes"
    __table_args__ = (Index(None, "folded_id", "issuer"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    at: Mapped[datetime]
    issuer: Mapped[str]
    folded_id: Mapped[str]
    study_instance_uid: Mapped[str] = mapped_column(index=True)
    patient: Mapped[dict[str, Any]]
    cause: Mapped[str]
    actor: Mapped[str]


class ProcedureStepRow(Base):
    """One performed procedure step, as a modality reports it (MPPS)."""

    __tablename__ = "procedure_steps"
    __table_args__ = (Index(None, "study_instance_uid", "state"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(unique=True)
    state: Mapped[StepState] = mapped_column(Named(StepState))
    study_instance_uid: Mapped[str]
    modality: Mapped[str]
    source_ae_title: Mapped[str]
    updated_at: Mapped[datetime]


class AnnouncedSeriesRow(Base):
    """What a procedure step or an availability notification lists of one series."""

    __tablename__ = "announced_series"
    __table_args__ = (UniqueConstraint("notice_uid", "series_instance_uid"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[str]
    notice_uid: Mapped[str]
    study_instance_uid: Mapped[str]
    series_instance_uid: Mapped[str] = mapped_column(index=True)
    sop_instance_uids: Mapped[list[Any]]
    instance_count: Mapped[int]
    source_ae_title: Mapped[str]
    said_at: Mapped[datetime]


class InterventionRow(Base):
    """What a person decided about what was received. Rows are only ever added; `details` holds UIDs and row names."""

    __tablename__ = "interventions"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    cause: Mapped[str]
    actor: Mapped[str]
    details: Mapped[dict[str, Any]]


class CaseRow(Base):
    """One plan being carried out; its name is the plan's key. At most one case of a patient runs at a time.

    `rejection` says for what reason its results were taken back where some may have reached a peer, `noted_at` since
    when the notes that say so are on their way.
    """

    __tablename__ = "cases"
    __table_args__ = (
        Index(None, "state", "created_at"),
        Index(None, "rejection", "noted_at"),
        Index(None, "replaced_by"),
        Index(
            "uq_cases_running_patient_key",
            "patient_key",
            unique=True,
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )

    case_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    plan: Mapped[dict[str, Any]]
    state: Mapped[CaseState] = mapped_column(Named(CaseState))
    patient_key: Mapped[str]
    attempts: Mapped[int]
    error: Mapped[str]
    not_before: Mapped[datetime | None]
    worker: Mapped[str]
    lease_token: Mapped[str]
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(index=True)
    updated_at: Mapped[datetime] = mapped_column(index=True)
    step: Mapped[str | None]
    replaced_by: Mapped[str | None] = mapped_column(String(64))
    rejection: Mapped[Rejection | None] = mapped_column(Named(Rejection))
    noted_at: Mapped[datetime | None]

    result: Mapped["ResultRow | None"] = relationship(lazy="raise", viewonly=True)


class CaseSeriesRow(Base):
    """A series that a case reads."""

    __tablename__ = "case_series"

    case_id: Mapped[str] = mapped_column(String(64), ForeignKey("cases.case_id"), primary_key=True)
    series_instance_uid: Mapped[str] = mapped_column(primary_key=True, index=True)


class CaseEventRow(Base):
    """One transition of a case. Rows are only ever added."""

    __tablename__ = "case_events"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    case_id: Mapped[str] = mapped_column(String(64), ForeignKey("cases.case_id"), index=True)
    at: Mapped[datetime]
    from_state: Mapped[CaseState | None] = mapped_column(Named(CaseState))
    to_state: Mapped[CaseState] = mapped_column(Named(CaseState))
    cause: Mapped[str]
    actor: Mapped[str]


class ResultRow(Base):
    """What a case gave. The primary key is the case: a case has one result for ever."""

    __tablename__ = "case_results"

    case_id: Mapped[str] = mapped_column(String(64), ForeignKey("cases.case_id"), primary_key=True)
    result: Mapped[dict[str, Any]]
    recorded_at: Mapped[datetime]


class DerivedSeriesRow(Base):
    """A series of a result, so that a viewer's question finds it; what it is stands in the result."""

    __tablename__ = "derived_series"
    __table_args__ = (UniqueConstraint("case_id", "series_instance_uid"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    case_id: Mapped[str] = mapped_column(String(64), ForeignKey("cases.case_id"))
    series_instance_uid: Mapped[str] = mapped_column(index=True)
    study_instance_uid: Mapped[str] = mapped_column(index=True)
    modality: Mapped[str]
    description: Mapped[str]
    instance_count: Mapped[int]


class DerivedInstanceRow(Base):
    """An instance of it."""

    __tablename__ = "derived_instances"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    series_row_id: Mapped[int] = mapped_column(ForeignKey("derived_series.id"), index=True)
    sop_instance_uid: Mapped[str] = mapped_column(index=True)
    sop_class_uid: Mapped[str]
    transfer_syntax_uid: Mapped[str]
    digest: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    instance_number: Mapped[int]


class DerivedObjectRow(Base):
    """An object of the store that a result or a delivery needs."""

    __tablename__ = "derived_objects"

    case_id: Mapped[str] = mapped_column(String(64), ForeignKey("cases.case_id"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)


class DeliveryRow(Base):
    """One derived series for one destination, or the note that takes back those of its case."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("case_id", "destination", "series_instance_uid"),
        Index(None, "state", "next_attempt_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    case_id: Mapped[str] = mapped_column(String(64), ForeignKey("cases.case_id"))
    destination: Mapped[str]
    series_instance_uid: Mapped[str] = mapped_column(index=True)
    series: Mapped[dict[str, Any]]
    state: Mapped[DeliveryState] = mapped_column(Named(DeliveryState))
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    last_error: Mapped[str]
    refused: Mapped[dict[str, Any]]
    commitment_uid: Mapped[str] = mapped_column(index=True)
    commitment_deadline: Mapped[datetime | None]
    is_note: Mapped[bool] = mapped_column(Boolean, server_default=false())


class CommitmentRequestRow(Base):
    """What a peer asked us to answer for. `peer` is its name in the settings, empty for one that they do not name."""

    __tablename__ = "commitment_requests"
    __table_args__ = (UniqueConstraint("peer", "transaction_uid"), Index(None, "state", "next_attempt_at"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    peer: Mapped[str]
    transaction_uid: Mapped[str]
    references: Mapped[list[Any]]
    state: Mapped[CommitmentState] = mapped_column(Named(CommitmentState))
    received_at: Mapped[datetime]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    last_error: Mapped[str]
    failed: Mapped[dict[str, Any]]


class PromiseRow(Base):
    """An instance that somebody was, or is about to be, told that the node holds."""

    __tablename__ = "promises"

    sop_instance_uid: Mapped[str] = mapped_column(primary_key=True)
    promised_at: Mapped[datetime]


class FetchRow(Base):
    """A partner study that a rule misses, asked of one peer. `wish` names rule, modality, study in need and peer."""

    __tablename__ = "fetches"
    __table_args__ = (UniqueConstraint("wish"), Index(None, "state", "next_attempt_at"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    wish: Mapped[str] = mapped_column(String(64))
    rule: Mapped[str]
    modality: Mapped[str]
    peer: Mapped[str]
    for_series_uid: Mapped[str]
    patient_id: Mapped[str]
    issuer: Mapped[str]
    patient_name: Mapped[str]
    patient_birth_date: Mapped[str]
    patient_sex: Mapped[str]
    earliest: Mapped[datetime]
    latest: Mapped[datetime]
    state: Mapped[FetchState] = mapped_column(Named(FetchState))
    reason: Mapped[str]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class FetchedSeriesRow(Base):
    """A series that a peer was asked to send, for one wish. `instances` is how many it says there are, 0: unknown."""

    __tablename__ = "fetched_series"
    __table_args__ = (Index(None, "asked_at"),)

    series_instance_uid: Mapped[str] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str]
    fetch_id: Mapped[int] = mapped_column(ForeignKey("fetches.id"), index=True)
    instances: Mapped[int]
    asked_at: Mapped[datetime]


class UserRow(Base):
    """Somebody who may log in. `folded_name` is what a login compares; an empty hash fits no password."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str]
    folded_name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[Role] = mapped_column(Named(Role))
    password_hash: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[datetime]


class WebSessionRow(Base):
    """One login. The token itself is only in the browser; here is its SHA-256."""

    __tablename__ = "web_sessions"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    token_digest: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    form_word: Mapped[str]
    address: Mapped[str]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)

    user: Mapped[UserRow] = relationship(lazy="raise", viewonly=True)


class ApiKeyRow(Base):
    """A script's key, of which only the SHA-256 is kept."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    key_digest: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[Role] = mapped_column(Named(Role))
    scopes: Mapped[list[Any]]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class SwitchRow(Base):
    """Something that a person has switched."""

    __tablename__ = "switches"

    name: Mapped[str] = mapped_column(primary_key=True)
    is_on: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str]
    actor: Mapped[str]
    changed_at: Mapped[datetime]


class NoticeRow(Base):
    """An open matter that a channel has told people of. An empty subject is the daily summary."""

    __tablename__ = "notices"
    __table_args__ = (UniqueConstraint("channel", "kind", "subject"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    channel: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    told_at: Mapped[datetime]
