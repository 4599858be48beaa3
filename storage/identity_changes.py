"""Whose images these are: patients that were merged and studies that were moved, and what follows from it.

What was received stays as it is. The ledger says who the patient is, also of what arrives later under the former
identity; cases that read the images are withdrawn, and matching makes new ones of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import Session, joinedload

from .errors import UnknownRecordError
from .insertion import insert_new
from .interventions import note_intervention
from .models import CaseRow, CaseSeriesRow, IdentityChangeRow, PatientRow, SeriesRow, StudyRow
from .outbox import stop
from .quarantine import release
from .records import CaseState, InstanceRecord, PatientIdentity, Rejection, SeriesState
from .session import Database
from .transitions import TRANSITIONS, locked_case, move

MERGED, MOVED, UPDATED = "patient merged", "study moved", "patient corrected"
LONGEST_CHAIN = 100
"""Merges that follow on each other; a circle ends there too."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a merge or a move has changed."""

    patient: PatientIdentity = field(repr=False)
    series_instance_uids: tuple[str, ...]
    released: tuple[str, ...]
    withdrawn: tuple[str, ...]


class IdentityChanges:
    """Merges and moves. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def merge(self, prior: PatientIdentity, surviving: PatientIdentity, actor: str, cause: str) -> Corrected:
        """All images of `prior` (its issuer and ID count) are those of `surviving`, from now on too.

        What `surviving` leaves empty is taken from the images that are known of it. Raises `UnknownRecordError` when
        both are one.
        """
        if (prior.issuer, folded(prior.patient_id)) == (surviving.issuer, folded(surviving.patient_id)):
            raise UnknownRecordError("a patient cannot be merged with itself")
        rule = IdentityChangeRow(issuer=prior.issuer, folded_id=folded(prior.patient_id), study_instance_uid="")
        theirs = (
            _series()
            .join(PatientRow, SeriesRow.patient_row_id == PatientRow.id)
            .where(PatientRow.issuer == prior.issuer, PatientRow.folded_id == folded(prior.patient_id))
        )
        return self._change(MERGED, rule, theirs, surviving, actor, cause)

    def update(self, patient: PatientIdentity, actor: str, cause: str) -> Corrected:
        """Name, birth date and sex of that issuer and ID are these, on images that still come too."""
        rule = IdentityChangeRow(issuer=patient.issuer, folded_id=folded(patient.patient_id), study_instance_uid="")
        theirs = (
            _series()
            .join(PatientRow, SeriesRow.patient_row_id == PatientRow.id)
            .where(PatientRow.issuer == patient.issuer, PatientRow.folded_id == folded(patient.patient_id))
        )
        return self._change(UPDATED, rule, theirs, patient, actor, cause)

    def move(self, study_instance_uid: str, patient: PatientIdentity, actor: str, cause: str) -> Corrected:
        """The images of that study are those of `patient`. Raises `UnknownRecordError` when there are none."""
        rule = IdentityChangeRow(issuer="", folded_id="", study_instance_uid=study_instance_uid)
        theirs = (
            _series()
            .join(StudyRow, SeriesRow.study_row_id == StudyRow.id)
            .where(StudyRow.study_instance_uid == study_instance_uid)
        )
        with self._database.reading() as session:
            if session.scalars(theirs.limit(1)).first() is None:
                raise UnknownRecordError(f"no study {study_instance_uid} was received")
        return self._change(MOVED, rule, theirs, patient, actor, cause)

    def _change(
        self,
        kind: str,
        rule: IdentityChangeRow,
        theirs: Select[SeriesRow],
        patient: PatientIdentity,
        actor: str,
        cause: str,
    ) -> Corrected:
        with self._database.session() as session:
            now = datetime.now(UTC)
            patient = _completed(session, patient)
            series = session.scalars(theirs.order_by(SeriesRow.id).with_for_update(of=SeriesRow)).all()
            row_id = patient_row_id(session, patient)
            for one in series:
                _give(one, row_id, patient, now)
            session.flush()
            for one in series:
                session.refresh(one, ["patient", "study"])
            released = [one for one in series if _is_settled(session, one)]
            for one in released:
                release(session, one, actor, cause)
            withdrawn = _withdraw(session, [one.series_instance_uid for one in series], actor, f"{kind}: {cause}")
            rule.at, rule.patient, rule.cause, rule.actor = now, _values(patient), cause, actor
            session.add(rule)
            details = {"series": len(series), "cases": withdrawn, "patient_row": row_id}
            note_intervention(session, kind, rule.study_instance_uid or f"patient row {row_id}", cause, actor, details)
            return Corrected(
                patient,
                tuple(one.series_instance_uid for one in series),
                tuple(one.series_instance_uid for one in released),
                tuple(withdrawn),
            )


def corrected(session: Session, instance: InstanceRecord) -> InstanceRecord:
    """The instance with the patient that a person has said it to be of; the very same where nobody did."""
    study = instance.study.study_instance_uid
    patient = instance.patient
    for _ in range(LONGEST_CHAIN):
        wanted = select(IdentityChangeRow).where(
            or_(
                (IdentityChangeRow.study_instance_uid == study) & (study != ""),
                (IdentityChangeRow.folded_id == folded(patient.patient_id))
                & (IdentityChangeRow.issuer == patient.issuer)
                & (IdentityChangeRow.study_instance_uid == ""),
            )
        )
        rule = session.scalars(wanted.order_by(IdentityChangeRow.id.desc()).limit(1)).first()
        if rule is None:
            break
        study = "" if rule.study_instance_uid else study  # a move counts once, a merge may follow
        said = PatientIdentity(**rule.patient)
        is_same = (said.issuer, said.patient_id) == (patient.issuer, patient.patient_id)
        patient = _over(said, patient)
        if is_same:
            break
    return instance if patient == instance.patient else replace(instance, patient=patient)


def folded(patient_id: str) -> str:
    """A Patient ID as lookups compare it."""
    return "".join(patient_id.replace("\x00", "").split()).casefold()


def patient_row_id(session: Session, patient: PatientIdentity) -> int:
    """The row of that issuer and ID, which is made if need be."""
    insert_new(
        session,
        PatientRow,
        issuer=patient.issuer,
        patient_id=patient.patient_id,
        folded_id=folded(patient.patient_id),
    )
    wanted = select(PatientRow.id).where(
        PatientRow.issuer == patient.issuer, PatientRow.patient_id == patient.patient_id
    )
    return session.scalars(wanted).one()


def _series() -> Select[SeriesRow]:
    return select(SeriesRow).options(
        joinedload(SeriesRow.study, innerjoin=True), joinedload(SeriesRow.patient, innerjoin=True)
    )


def _completed(session: Session, patient: PatientIdentity) -> PatientIdentity:
    """What is not said of the patient is taken from the newest series of that issuer and ID."""
    wanted = (
        select(SeriesRow)
        .join(PatientRow, SeriesRow.patient_row_id == PatientRow.id)
        .where(PatientRow.issuer == patient.issuer, PatientRow.patient_id == patient.patient_id)
        .order_by(SeriesRow.id.desc())
        .limit(1)
    )
    known = session.scalars(wanted).first()
    if known is None:
        return patient
    return replace(
        patient,
        name=patient.name or known.patient_name,
        birth_date=patient.birth_date or known.patient_birth_date,
        sex=patient.sex or known.patient_sex,
    )


def _over(said: PatientIdentity, header: PatientIdentity) -> PatientIdentity:
    return replace(
        said,
        name=said.name or header.name,
        birth_date=said.birth_date or header.birth_date,
        sex=said.sex or header.sex,
    )


def _give(series: SeriesRow, row_id: int, patient: PatientIdentity, now: datetime) -> None:
    series.patient_row_id = row_id
    series.study.patient_row_id = row_id
    series.patient_name = patient.name or series.patient_name
    series.patient_birth_date = patient.birth_date or series.patient_birth_date
    series.patient_sex = patient.sex or series.patient_sex
    series.corrected_at = now
    if series.state is SeriesState.COMPLETE:
        series.matched_at = None


def _is_settled(session: Session, series: SeriesRow) -> bool:
    """Whether a series in quarantine contradicts nothing any more, since all of it is of one patient now."""
    if series.held_at is None or "study" in series.contradictions:
        return False
    others = (
        _series()
        .where(SeriesRow.study_row_id == series.study_row_id, SeriesRow.id != series.id)
        .where(SeriesRow.own_output.is_(False))
    )
    return all(one.patient_row_id == series.patient_row_id for one in session.scalars(others))


def _withdraw(session: Session, series_instance_uids: Sequence[str], actor: str, cause: str) -> list[str]:
    wanted = (
        select(CaseRow.case_id)
        .join(CaseSeriesRow, CaseSeriesRow.case_id == CaseRow.case_id)
        .where(CaseSeriesRow.series_instance_uid.in_(series_instance_uids))
        .distinct()
        .order_by(CaseRow.case_id)
    )
    withdrawn = []
    for case_id in session.scalars(wanted).all():
        case = locked_case(session, case_id)
        if CaseState.WITHDRAWN not in TRANSITIONS[case.state]:
            continue
        move(session, case, CaseState.WITHDRAWN, cause, actor)
        if stop(session, case_id, f"the case is {CaseState.WITHDRAWN}"):
            case.rejection = Rejection.WORKLIST
        withdrawn.append(case_id)
    partners = select(CaseSeriesRow.series_instance_uid).where(CaseSeriesRow.case_id.in_(withdrawn))
    session.execute(
        update(SeriesRow)
        .where(SeriesRow.series_instance_uid.in_(partners), SeriesRow.state == SeriesState.COMPLETE)
        .values(matched_at=None)
    )
    return withdrawn


def _values(patient: PatientIdentity) -> dict[str, Any]:
    return {
        "patient_id": patient.patient_id,
        "issuer": patient.issuer,
        "name": patient.name,
        "birth_date": patient.birth_date,
        "sex": patient.sex,
    }
