"""How an instance gets into the index: its series, study and patient are entered or taken over from it."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from .errors import UnknownRecordError
from .identity_changes import corrected, patient_row_id
from .insertion import insert_new
from .models import InstanceRow, SeriesRow, SetAsideRow, StudyRow
from .quarantine import contradictions_of_study, hold
from .records import AddOutcome, InstanceRecord, PatientIdentity, SeriesState, StudyHeader
from .series_facts import contradictions, filled_in, header_order, holds_slices

TICK = timedelta(microseconds=1)
"""The last time of a series grows by at least this with each instance, so that it also tells whether one came."""


class RacedError(Exception):
    """An instance that was not there a moment ago is there now: another process was faster."""


def enter(session: Session, instance: InstanceRecord, due_at: datetime) -> AddOutcome:
    """Enter one instance. See `Catalogue.add_instance`."""
    known = in_use(session, instance.sop_instance_uid)
    if known is None:
        before = session.begin_nested()
        series: dict[str, SeriesRow] = {}
        if _enter(session, instance, due_at, series):
            return _outcome(series[instance.series.series_instance_uid])
        before.rollback()  # another association was faster; no series is left behind without an instance
        known = in_use(session, instance.sop_instance_uid)
    if known is None:
        raise UnknownRecordError(f"the instance {instance.sop_instance_uid} was being entered and is gone")
    return compare(session, known, instance)


def enter_all(session: Session, instances: Sequence[tuple[InstanceRecord, datetime]]) -> list[AddOutcome]:
    """Enter several. Raises `RacedError` when another process enters one of them at the same time."""
    uids = {instance.sop_instance_uid for instance, _ in instances}
    there = set(session.scalars(select(InstanceRow.sop_instance_uid).where(InstanceRow.sop_instance_uid.in_(uids))))
    series: dict[str, SeriesRow] = {}
    outcomes: dict[int, AddOutcome] = {}
    # In one order everywhere, so that two processes never wait for each other's series.
    for k in sorted(range(len(instances)), key=lambda k: instances[k][0].series.series_instance_uid):
        instance, due_at = instances[k]
        if instance.sop_instance_uid in there:
            known = in_use(session, instance.sop_instance_uid)
            if known is None:
                raise RacedError
            outcomes[k] = compare(session, known, instance)
        else:
            if not _enter(session, instance, due_at, series):
                raise RacedError
            there.add(instance.sop_instance_uid)
            outcomes[k] = _outcome(series[instance.series.series_instance_uid])
    return [outcomes[k] for k in range(len(instances))]


def _outcome(series: SeriesRow) -> AddOutcome:
    return AddOutcome.NEW if series.held_at is None else AddOutcome.QUARANTINED


def series_query() -> Select[SeriesRow]:
    """Series with their study and patient."""
    return select(SeriesRow).options(
        joinedload(SeriesRow.study, innerjoin=True), joinedload(SeriesRow.patient, innerjoin=True)
    )


def in_use(session: Session, sop_instance_uid: str) -> InstanceRow | None:
    """The instance of that name, if there is one."""
    return session.scalars(select(InstanceRow).where(InstanceRow.sop_instance_uid == sop_instance_uid)).first()


def _enter(session: Session, instance: InstanceRecord, due_at: datetime, known: dict[str, SeriesRow]) -> bool:
    """Whether the instance is new. `known` are the series that this transaction has locked already."""
    received, instance = instance, corrected(session, instance)
    uid = instance.series.series_instance_uid
    series = known.get(uid) or _locked_series(session, uid)
    if series is None:
        _enter_series(session, instance, due_at)
        series = _locked_series(session, uid)
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
    known[uid] = series
    if instance is not received:
        series.corrected_at = series.corrected_at or instance.received_at
    if series.instance_count > 0:
        _take_over(session, series, instance)
    else:
        hold(series, contradictions_of_study(session, series, instance))
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
    wanted = series_query().where(SeriesRow.series_instance_uid == series_instance_uid)
    return session.scalars(wanted.with_for_update(of=SeriesRow)).first()


def _enter_series(session: Session, instance: InstanceRecord, due_at: datetime) -> None:
    insert_new(
        session,
        SeriesRow,
        **header_values(session, instance, instance.patient),
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
    patient, known = instance.patient, patient_of(series)
    if not (holds_slices(series) or instance.is_localiser):  # what the localisers before it said counts no more
        series.contradictions = []
    else:
        torn = [factor for factor in contradictions(series, instance) if factor not in (series.accepted or ())]
        series.contradictions = sorted({*series.contradictions, *torn})
        hold(series, [f"its slices differ in {factor}" for factor in torn])
        if header_order(instance) > series.header_order:
            _fill_in(session, series, filled_in(known, patient))
            return
        patient = filled_in(patient, known)
    for name, value in header_values(session, instance, patient).items():
        setattr(series, name, value)


def _fill_in(session: Session, series: SeriesRow, patient: PatientIdentity) -> None:
    if patient != patient_of(series):
        for name, value in _patient_values(session, patient).items():
            setattr(series, name, value)


def header_values(session: Session, instance: InstanceRecord, patient: PatientIdentity) -> dict[str, Any]:
    """The columns of a series whose header is that of `instance`."""
    header = {field.name: getattr(instance.series, field.name) for field in fields(instance.series)}
    named = _patient_values(session, patient)
    study = _study_row_id(session, instance.study, named["patient_row_id"])
    header["attributes"] = dict(instance.series.attributes)
    return {**header, **named, "study_row_id": study, "header_order": header_order(instance)}


def _patient_values(session: Session, patient: PatientIdentity) -> dict[str, Any]:
    return {
        "patient_row_id": patient_row_id(session, patient),
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


def compare(session: Session, known: InstanceRow, instance: InstanceRecord) -> AddOutcome:
    """What other bytes of a known name are; they are set aside, once."""
    if known.digest == instance.stored.digest:
        return AddOutcome.DUPLICATE
    same_pixels = known.pixel_digest == instance.pixel_digest
    reason = AddOutcome.VERSION if same_pixels else AddOutcome.CONFLICT
    insert_new(
        session,
        SetAsideRow,
        instance_row_id=known.id,
        reason=reason,
        digest=instance.stored.digest,
        size_bytes=instance.stored.size_bytes,
        pixel_digest=instance.pixel_digest,
        transfer_syntax_uid=instance.transfer_syntax_uid,
        source_ae_title=instance.source_ae_title,
        received_at=instance.received_at,
    )
    return reason


def patient_of(row: SeriesRow) -> PatientIdentity:
    """Who the series says it is of."""
    return PatientIdentity(
        patient_id=row.patient.patient_id,
        issuer=row.patient.issuer,
        name=row.patient_name,
        birth_date=row.patient_birth_date,
        sex=row.patient_sex,
    )
