"""What was received: patients, studies, series and instances, and when a series is held to be complete.

The first instance of a SOP Instance UID is the one in use for ever; other bytes of that name are set aside. The header
of a series is that of its first slice, whenever it came (see `series_facts`).
"""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, exists, select, update
from sqlalchemy.orm import Session, joinedload

from .errors import UnknownRecordError
from .insertion import insert_new
from .models import InstanceRow, PatientRow, SeriesRow, SetAsideRow, StudyRow
from .records import (
    AddOutcome,
    InstanceRecord,
    PatientIdentity,
    SeriesHeader,
    SeriesRecord,
    SeriesState,
    SetAsideInstance,
    StoredObject,
    StudyHeader,
)
from .series_facts import contradictions, filled_in, header_order, holds_slices
from .session import Database

TICK = timedelta(microseconds=1)
"""The last time of a series grows by at least this with each instance, so that it also tells whether one came."""


class Catalogue:
    """The index of what was received. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_instance(self, instance: InstanceRecord, due_at: datetime) -> AddOutcome:
        """Enter the instance, whose bytes are already kept; its series is complete at `due_at` unless more comes.

        NEW reopens a complete series. DUPLICATE (the bytes in use) changes nothing. VERSION (same encoded pixels) and
        CONFLICT set the bytes aside, once, and are answered whenever they come; the first stay in use.
        """
        with self._database.session() as session:
            in_use = _in_use(session, instance.sop_instance_uid)
            if in_use is None:
                before = session.begin_nested()
                if _enter(session, instance, due_at):
                    return AddOutcome.NEW
                before.rollback()  # another association was faster; no series is left behind without an instance
                in_use = _in_use(session, instance.sop_instance_uid)
            if in_use is None:
                raise UnknownRecordError(f"the instance {instance.sop_instance_uid} was being entered and is gone")
            return _compare(session, in_use, instance)

    def due_series(self, now: datetime) -> tuple[SeriesRecord, ...]:
        """The series whose quiet time is over, the longest due first."""
        due = _series().where(SeriesRow.state == SeriesState.RECEIVING, SeriesRow.due_at <= now)
        return self._records(due.order_by(SeriesRow.due_at, SeriesRow.id))

    def next_due_at(self) -> datetime | None:
        """When the next series is due."""
        waiting = select(SeriesRow.due_at).where(
            SeriesRow.state == SeriesState.RECEIVING, SeriesRow.due_at.is_not(None)
        )
        with self._database.reading() as session:
            return session.scalars(waiting.order_by(SeriesRow.due_at).limit(1)).first()

    def complete_series(self, series_instance_uid: str, evidence: Sequence[str], last_received_at: datetime) -> bool:
        """Hold the series to be complete, unless an instance came after the `last_received_at` that was looked at."""
        with self._database.session() as session:
            changed = session.scalars(
                update(SeriesRow)
                .where(
                    SeriesRow.series_instance_uid == series_instance_uid,
                    SeriesRow.state == SeriesState.RECEIVING,
                    SeriesRow.last_received_at <= last_received_at,
                )
                .values(state=SeriesState.COMPLETE, evidence=list(evidence), due_at=None, matched_at=None)
                .returning(SeriesRow.id)
            ).all()
        return bool(changed)

    def series(self, series_instance_uid: str) -> SeriesRecord:
        """The series. Raises `UnknownRecordError`."""
        found = self._records(_series().where(SeriesRow.series_instance_uid == series_instance_uid))
        if not found:
            raise UnknownRecordError(f"no series {series_instance_uid} was received")
        return found[0]

    def instances(self, series_instance_uid: str) -> tuple[InstanceRecord, ...]:
        """The instances in use, by position along the slice normal, then by number; headers are the series' own."""
        wanted = (
            select(InstanceRow)
            .join(SeriesRow, InstanceRow.series_row_id == SeriesRow.id)
            .where(SeriesRow.series_instance_uid == series_instance_uid)
        )
        with self._database.reading() as session:
            series = session.scalars(_series().where(SeriesRow.series_instance_uid == series_instance_uid)).first()
            if series is None:
                raise UnknownRecordError(f"no series {series_instance_uid} was received")
            record = _series_record(series)
            instances = [_instance_record(row, record) for row in session.scalars(wanted)]
        return tuple(sorted(instances, key=_order))

    def series_of_patient_id(self, patient_id: str) -> tuple[SeriesRecord, ...]:
        """Complete series, not made here, whose Patient ID is the same but for case and spaces, whatever the issuer.

        An empty ID is nobody's.
        """
        folded = _folded(patient_id)
        if not folded:
            return ()
        wanted = (
            _series()
            .join(PatientRow, SeriesRow.patient_row_id == PatientRow.id)
            .where(
                PatientRow.folded_id == folded,
                SeriesRow.state == SeriesState.COMPLETE,
                SeriesRow.own_output.is_(False),
            )
        )
        return self._records(wanted.order_by(SeriesRow.id))

    def list_series(self, limit: int = 100, state: SeriesState | None = None) -> tuple[SeriesRecord, ...]:
        """The newest series first."""
        wanted = _series().order_by(SeriesRow.last_received_at.desc(), SeriesRow.id.desc()).limit(limit)
        return self._records(wanted if state is None else wanted.where(SeriesRow.state == state))

    def unmatched_series(self) -> tuple[SeriesRecord, ...]:
        """Complete series, not made here, that nobody has tried to match since; the oldest first."""
        wanted = _series().where(
            SeriesRow.state == SeriesState.COMPLETE,
            SeriesRow.matched_at.is_(None),
            SeriesRow.own_output.is_(False),
        )
        return self._records(wanted.order_by(SeriesRow.last_received_at, SeriesRow.id))

    def match_again(self, series_instance_uid: str | None = None) -> int:
        """Have a complete series, or every one, matched once more: after rules or recipes have changed. How many."""
        again = update(SeriesRow).where(SeriesRow.state == SeriesState.COMPLETE).values(matched_at=None)
        if series_instance_uid is not None:
            self.series(series_instance_uid)  # an unknown one is an error, not nothing
            again = again.where(SeriesRow.series_instance_uid == series_instance_uid)
        with self._database.session() as session:
            return len(session.scalars(again.returning(SeriesRow.id)).all())

    def mark_matched(self, series_instance_uid: str) -> None:
        """Matching was carried out, and its cases are in the ledger. A series reopened meanwhile stays open."""
        with self._database.session() as session:
            session.execute(
                update(SeriesRow)
                .where(
                    SeriesRow.series_instance_uid == series_instance_uid,
                    SeriesRow.state == SeriesState.COMPLETE,
                )
                .values(matched_at=datetime.now(UTC))
            )

    def set_aside(self) -> tuple[SetAsideInstance, ...]:
        """Versions and conflicts, for an operator, the oldest first."""
        wanted = (
            select(SetAsideRow, InstanceRow.sop_instance_uid, SeriesRow.series_instance_uid)
            .join(InstanceRow, SetAsideRow.instance_row_id == InstanceRow.id)
            .join(SeriesRow, InstanceRow.series_row_id == SeriesRow.id)
            .order_by(SetAsideRow.id)
        )
        with self._database.reading() as session:
            return tuple(
                SetAsideInstance(
                    sop_instance_uid=sop_instance_uid,
                    series_instance_uid=series_instance_uid,
                    reason=row.reason,
                    transfer_syntax_uid=row.transfer_syntax_uid,
                    stored=StoredObject(row.digest, row.size_bytes),
                    pixel_digest=row.pixel_digest,
                    source_ae_title=row.source_ae_title,
                    received_at=row.received_at,
                )
                for row, sop_instance_uid, series_instance_uid in session.execute(wanted)
            )

    def holds(self, digest: str) -> bool:
        """Whether an instance, in use or set aside, consists of these bytes."""
        with self._database.reading() as session:
            return bool(
                session.scalar(
                    select(exists().where(InstanceRow.digest == digest) | exists().where(SetAsideRow.digest == digest))
                )
            )

    def _records(self, wanted: Select[SeriesRow]) -> tuple[SeriesRecord, ...]:
        with self._database.reading() as session:
            return tuple(_series_record(row) for row in session.scalars(wanted))


def _series() -> Select[SeriesRow]:
    return select(SeriesRow).options(
        joinedload(SeriesRow.study, innerjoin=True), joinedload(SeriesRow.patient, innerjoin=True)
    )


def _in_use(session: Session, sop_instance_uid: str) -> InstanceRow | None:
    return session.scalars(select(InstanceRow).where(InstanceRow.sop_instance_uid == sop_instance_uid)).first()


def _enter(session: Session, instance: InstanceRecord, due_at: datetime) -> bool:
    series = _locked_series(session, instance.series.series_instance_uid)
    if series is None:
        _enter_series(session, instance, due_at)
        series = _locked_series(session, instance.series.series_instance_uid)
    if series is None or not insert_new(
        session,
        InstanceRow,
        sop_instance_uid=instance.sop_instance_uid,
        series_row_id=series.id,
        sop_class_uid=instance.sop_class_uid,
        transfer_syntax_uid=instance.transfer_syntax_uid,
        digest=instance.stored.digest,
        size_bytes=instance.stored.size_bytes,
        pixel_digest=instance.pixel_digest,
        source_ae_title=instance.source_ae_title,
        received_at=instance.received_at,
        instance_number=instance.instance_number,
        number_of_frames=instance.number_of_frames,
        position=instance.position,
        is_localiser=instance.is_localiser,
    ):
        return False
    if series.instance_count > 0:
        _take_over(session, series, instance)
    series.last_received_at = (
        instance.received_at
        if series.instance_count == 0
        else max(instance.received_at, series.last_received_at + TICK)
    )
    series.first_received_at = min(instance.received_at, series.first_received_at)
    series.instance_count += 1
    series.localiser_count += instance.is_localiser
    series.state = SeriesState.RECEIVING
    series.due_at = due_at
    series.evidence = []
    series.matched_at = None
    return True


def _locked_series(session: Session, series_instance_uid: str) -> SeriesRow | None:
    wanted = _series().where(SeriesRow.series_instance_uid == series_instance_uid)
    return session.scalars(wanted.with_for_update(of=SeriesRow)).first()


def _enter_series(session: Session, instance: InstanceRecord, due_at: datetime) -> None:
    insert_new(
        session,
        SeriesRow,
        **_header_values(session, instance, instance.patient),
        source_ae_title=instance.source_ae_title,
        state=SeriesState.RECEIVING,
        instance_count=0,
        localiser_count=0,
        contradictions=[],
        first_received_at=instance.received_at,
        last_received_at=instance.received_at,
        due_at=due_at,
        evidence=[],
        matched_at=None,
    )


def _take_over(session: Session, series: SeriesRow, instance: InstanceRecord) -> None:
    """Let a further instance have its say in the series; a localiser has none beside slices."""
    if instance.is_localiser and holds_slices(series):
        return
    patient, known = instance.patient, _patient(series)
    if not (holds_slices(series) or instance.is_localiser):  # what the localisers before it said counts no more
        series.contradictions = []
    else:
        series.contradictions = sorted({*series.contradictions, *contradictions(series, instance)})
        if header_order(instance) > series.header_order:
            _fill_in(session, series, filled_in(known, patient))
            return
        patient = filled_in(patient, known)
    for name, value in _header_values(session, instance, patient).items():
        setattr(series, name, value)


def _fill_in(session: Session, series: SeriesRow, patient: PatientIdentity) -> None:
    if patient != _patient(series):
        for name, value in _patient_values(session, patient).items():
            setattr(series, name, value)


def _header_values(session: Session, instance: InstanceRecord, patient: PatientIdentity) -> dict[str, Any]:
    """The columns of a series whose header is that of `instance`."""
    header = {field.name: getattr(instance.series, field.name) for field in fields(instance.series)}
    named = _patient_values(session, patient)
    study = _study_row_id(session, instance.study, named["patient_row_id"])
    header["attributes"] = dict(instance.series.attributes)
    return {**header, **named, "study_row_id": study, "header_order": header_order(instance)}


def _patient_values(session: Session, patient: PatientIdentity) -> dict[str, Any]:
    insert_new(
        session,
        PatientRow,
        issuer=patient.issuer,
        patient_id=patient.patient_id,
        folded_id=_folded(patient.patient_id),
    )
    row_id = session.scalars(
        select(PatientRow.id).where(PatientRow.issuer == patient.issuer, PatientRow.patient_id == patient.patient_id)
    ).one()
    return {
        "patient_row_id": row_id,
        "patient_name": patient.name,
        "patient_birth_date": patient.birth_date,
        "patient_sex": patient.sex,
    }


def _study_row_id(session: Session, study: StudyHeader, patient_row_id: int) -> int:
    insert_new(
        session,
        StudyRow,
        study_instance_uid=study.study_instance_uid,
        patient_row_id=patient_row_id,
        study_date=study.study_date,
        study_time=study.study_time,
        accession_number=study.accession_number,
        description=study.description,
    )
    return session.scalars(select(StudyRow.id).where(StudyRow.study_instance_uid == study.study_instance_uid)).one()


def _compare(session: Session, in_use: InstanceRow, instance: InstanceRecord) -> AddOutcome:
    if in_use.digest == instance.stored.digest:
        return AddOutcome.DUPLICATE
    same_pixels = in_use.pixel_digest == instance.pixel_digest
    reason = AddOutcome.VERSION if same_pixels else AddOutcome.CONFLICT
    insert_new(
        session,
        SetAsideRow,
        instance_row_id=in_use.id,
        reason=reason,
        digest=instance.stored.digest,
        size_bytes=instance.stored.size_bytes,
        pixel_digest=instance.pixel_digest,
        transfer_syntax_uid=instance.transfer_syntax_uid,
        source_ae_title=instance.source_ae_title,
        received_at=instance.received_at,
    )
    return reason


def _folded(patient_id: str) -> str:
    return "".join(patient_id.replace("\x00", "").split()).casefold()


def _order(instance: InstanceRecord) -> tuple[bool, float, bool, int, str]:
    return (
        instance.position is None,
        instance.position or 0.0,
        instance.instance_number is None,
        instance.instance_number or 0,
        instance.sop_instance_uid,
    )


def _series_record(row: SeriesRow) -> SeriesRecord:
    return SeriesRecord(
        header=SeriesHeader(
            series_instance_uid=row.series_instance_uid,
            modality=row.modality,
            sop_class_uid=row.sop_class_uid,
            frame_of_reference_uid=row.frame_of_reference_uid,
            series_number=row.series_number,
            description=row.description,
            body_part=row.body_part,
            acquired_at=row.acquired_at,
            own_output=row.own_output,
            attributes=row.attributes,
        ),
        study=StudyHeader(
            study_instance_uid=row.study.study_instance_uid,
            study_date=row.study.study_date,
            study_time=row.study.study_time,
            accession_number=row.study.accession_number,
            description=row.study.description,
        ),
        patient=_patient(row),
        source_ae_title=row.source_ae_title,
        state=row.state,
        instance_count=row.instance_count,
        first_received_at=row.first_received_at,
        last_received_at=row.last_received_at,
        due_at=row.due_at,
        evidence=tuple(row.evidence),
        localiser_count=row.localiser_count,
        contradictions=tuple(row.contradictions),
    )


def _patient(row: SeriesRow) -> PatientIdentity:
    return PatientIdentity(
        patient_id=row.patient.patient_id,
        issuer=row.patient.issuer,
        name=row.patient_name,
        birth_date=row.patient_birth_date,
        sex=row.patient_sex,
    )


def _instance_record(row: InstanceRow, series: SeriesRecord) -> InstanceRecord:
    return InstanceRecord(
        sop_instance_uid=row.sop_instance_uid,
        sop_class_uid=row.sop_class_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        stored=StoredObject(row.digest, row.size_bytes),
        pixel_digest=row.pixel_digest,
        patient=series.patient,
        study=series.study,
        series=series.header,
        source_ae_title=row.source_ae_title,
        received_at=row.received_at,
        instance_number=row.instance_number,
        number_of_frames=row.number_of_frames,
        position=row.position,
        is_localiser=row.is_localiser,
    )
