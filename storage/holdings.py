"""What the node holds and may show: received instances in use, and the derived series of cases that were accepted.

Nothing in quarantine and nothing set aside is shown, and nothing derived whose case waits for review, was rejected,
withdrawn or replaced: not even where a peer sent it back to us. A derived series belongs to the study and the patient
with which it is filed. Queries are those of PS3.4 C.2.2.2, answered from indexes (`derived_series`, since the results
themselves are JSON that no database searches quickly).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, not_, or_, select, union_all
from sqlalchemy.orm import Session

from .identity_changes import folded
from .matching_keys import matches
from .models import (
    CaseRow,
    DerivedInstanceRow,
    DerivedSeriesRow,
    InstanceRow,
    PatientRow,
    SeriesRow,
    StudyRow,
)
from .records import CaseState, StoredObject
from .session import Database

SHOWN = (CaseState.ACCEPTED, CaseState.DELIVERING, CaseState.DELIVERED)
"""Where a case stands whose results may be seen."""

MOST = 100_000
"""Matches of one question; who wants more asks in pages."""

Keys = Mapping[str, Sequence[str]]
Columns = dict[str, Any]


class Level(StrEnum):
    """Of the query/retrieve hierarchy (PS3.4 C.6.1.1)."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


PATIENT_KEYS = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex")
STUDY_KEYS = ("StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyDescription", "ModalitiesInStudy")
SERIES_KEYS = ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "BodyPartExamined")
IMAGE_KEYS = ("SOPInstanceUID", "SOPClassUID", "InstanceNumber", "NumberOfFrames")
KEYS: Mapping[Level, tuple[str, ...]] = {
    Level.PATIENT: PATIENT_KEYS,
    Level.STUDY: (*PATIENT_KEYS, *STUDY_KEYS),
    Level.SERIES: (*PATIENT_KEYS, *STUDY_KEYS, *SERIES_KEYS),
    Level.IMAGE: (*PATIENT_KEYS, *STUDY_KEYS, *SERIES_KEYS, *IMAGE_KEYS),
}
"""What can be matched at each level, by DICOM keyword."""


@dataclass(frozen=True, slots=True)
class HeldInstance:
    """One instance that may be handed out, as a whole DICOM file in the object store."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    stored: StoredObject


class Holdings:
    """Queries over what may be shown. Every method is one transaction that only reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, level: Level, keys: Keys, limit: int = MOST, offset: int = 0) -> tuple[dict[str, Any], ...]:
        """Matches at `level`, by DICOM keyword, with the counts and lists of what lies below.

        A key that is none of `KEYS` of the level is not looked at. The newest studies come first.
        """
        with self._database.reading() as session:
            found = [dict(row) for row in session.execute(self._asked(level, keys, limit, offset)).mappings()]
            self._add_what_lies_below(session, level, found)
        return tuple({name: value for name, value in row.items() if name[0] != "_"} for row in found)

    def instances(self, keys: Keys, limit: int = MOST, offset: int = 0) -> tuple[HeldInstance, ...]:
        """The instances that match, in the order of their series."""
        with self._database.reading() as session:
            rows = session.execute(self._asked(Level.IMAGE, keys, limit, offset)).mappings().all()
        return tuple(
            HeldInstance(
                row["StudyInstanceUID"],
                row["SeriesInstanceUID"],
                row["SOPInstanceUID"],
                row["SOPClassUID"],
                row["_syntax"],
                StoredObject(row["_digest"], row["_size"]),
            )
            for row in rows
        )

    def _asked(self, level: Level, keys: Keys, limit: int, offset: int) -> Any:
        if level is Level.PATIENT:
            wanted: Any = self._where(_patients(), keys).order_by(PatientRow.patient_id, PatientRow.id)
        elif level is Level.STUDY:
            wanted = self._where(_studies(), keys).order_by(StudyRow.study_date.desc(), StudyRow.id.desc())
        elif level is Level.SERIES:
            both = union_all(self._where(_received_series(), keys), self._where(_derived_series(), keys))
            wanted = both.order_by("StudyInstanceUID", "_derived", "_order", "SeriesInstanceUID")
        else:
            both = union_all(self._where(_received_instances(), keys), self._where(_derived_instances(), keys))
            order: tuple[str, ...] = ("SOPInstanceUID",)
            if keys.get("StudyInstanceUID") or keys.get("SeriesInstanceUID"):
                order = ("SeriesInstanceUID", "InstanceNumber", *order)
            wanted = both.order_by(*order)
        return wanted.limit(limit).offset(offset)

    def _where(self, columns_of: tuple[Select[Any], Columns], keys: Keys) -> Select[Any]:
        query, columns = columns_of
        glob = self._database.is_sqlite
        for keyword, values in keys.items():
            if keyword == "ModalitiesInStudy" and "StudyInstanceUID" in columns:
                query = query.where(_has_modality(values, glob=glob))
            elif keyword in columns:
                query = query.where(matches(keyword, columns[keyword], values, glob=glob))
                if keyword == "PatientID" and len(values) == 1 and values[0] and not set("*?") & set(values[0]):
                    query = query.where(PatientRow.folded_id == folded(values[0]))  # which has an index
        return query

    def _add_what_lies_below(self, session: Session, level: Level, found: list[dict[str, Any]]) -> None:
        for some in _in_hundreds(found):
            if level is Level.PATIENT:
                _count_studies(session, some)
            elif level is not Level.IMAGE:
                _add_series(session, level, some)


def _in_hundreds(found: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    return (found[start : start + 100] for start in range(0, len(found), 100))


def _received() -> ColumnElement[bool]:
    """Series that may be shown. What we made ourselves and a peer sent back is shown as ours, or not at all."""
    ours = exists().where(DerivedSeriesRow.series_instance_uid == SeriesRow.series_instance_uid)
    return and_(SeriesRow.held_at.is_(None), not_(and_(SeriesRow.own_output, ours)))


def _has_received() -> ColumnElement[bool]:
    return exists().where(SeriesRow.study_row_id == StudyRow.id, _received()).correlate(StudyRow)


def _has_modality(values: Sequence[str], *, glob: bool) -> ColumnElement[bool]:
    received = select(SeriesRow.id).where(
        SeriesRow.study_row_id == StudyRow.id, _received(), matches("Modality", SeriesRow.modality, values, glob=glob)
    )
    derived = (
        select(DerivedSeriesRow.id)
        .join(CaseRow, CaseRow.case_id == DerivedSeriesRow.case_id)
        .where(
            DerivedSeriesRow.study_instance_uid == StudyRow.study_instance_uid,
            CaseRow.state.in_(SHOWN),
            matches("Modality", DerivedSeriesRow.modality, values, glob=glob),
        )
    )
    # Both are alone in their FROM; only the study is that of the question.
    return or_(received.correlate(StudyRow).exists(), derived.correlate(StudyRow).exists())


def _first(column: Any) -> ColumnElement[Any]:
    """What the first series of the study says about the patient."""
    other = (
        select(column)
        .where(SeriesRow.study_row_id == StudyRow.id, SeriesRow.held_at.is_(None))
        .order_by(SeriesRow.id)
        .limit(1)
        .correlate(StudyRow)
    )
    return other.scalar_subquery()


def _of_patient(name: Any, birth_date: Any, sex: Any) -> Columns:
    return {
        "PatientID": PatientRow.patient_id,
        "IssuerOfPatientID": PatientRow.issuer,
        "PatientName": name,
        "PatientBirthDate": birth_date,
        "PatientSex": sex,
    }


def _of_study() -> Columns:
    return {
        "StudyInstanceUID": StudyRow.study_instance_uid,
        "StudyDate": StudyRow.study_date,
        "StudyTime": StudyRow.study_time,
        "AccessionNumber": StudyRow.accession_number,
        "StudyDescription": StudyRow.description,
    }


def _labelled(columns: Columns, **more: Any) -> tuple[Select[Any], Columns]:
    named = {**columns, **more}
    return select(*(column.label(name) for name, column in named.items())), columns


def _patients() -> tuple[Select[Any], Columns]:
    def said(column: Any) -> ColumnElement[Any]:
        series = select(column).where(SeriesRow.patient_row_id == PatientRow.id, SeriesRow.held_at.is_(None))
        return series.order_by(SeriesRow.id).limit(1).correlate(PatientRow).scalar_subquery()

    columns = _of_patient(said(SeriesRow.patient_name), said(SeriesRow.patient_birth_date), said(SeriesRow.patient_sex))
    query, columns = _labelled(columns, _id=PatientRow.id)
    shown = select(StudyRow.id).where(StudyRow.patient_row_id == PatientRow.id, _has_received()).correlate(PatientRow)
    return query.select_from(PatientRow).where(shown.exists()), columns


def _by_study() -> Columns:
    return {
        **_of_patient(
            _first(SeriesRow.patient_name), _first(SeriesRow.patient_birth_date), _first(SeriesRow.patient_sex)
        ),
        **_of_study(),
    }


def _studies() -> tuple[Select[Any], Columns]:
    query, columns = _labelled(_by_study(), _id=StudyRow.id)
    query = query.select_from(StudyRow).join(PatientRow, StudyRow.patient_row_id == PatientRow.id)
    return query.where(_has_received()), columns


def _of_received_series() -> Columns:
    return {
        **_of_patient(SeriesRow.patient_name, SeriesRow.patient_birth_date, SeriesRow.patient_sex),
        **_of_study(),
        "SeriesInstanceUID": SeriesRow.series_instance_uid,
        "Modality": SeriesRow.modality,
        "SeriesNumber": SeriesRow.series_number,
        "SeriesDescription": SeriesRow.description,
        "BodyPartExamined": SeriesRow.body_part,
    }


def _of_derived_series() -> Columns:
    return {
        **_by_study(),
        "SeriesInstanceUID": DerivedSeriesRow.series_instance_uid,
        "Modality": DerivedSeriesRow.modality,
        "SeriesNumber": literal(""),
        "SeriesDescription": DerivedSeriesRow.description,
        "BodyPartExamined": literal(""),
    }


def _received_series() -> tuple[Select[Any], Columns]:
    count = SeriesRow.instance_count
    query, columns = _labelled(_of_received_series(), _derived=literal(0), _order=SeriesRow.id, _count=count)
    query = query.select_from(SeriesRow).join(StudyRow, SeriesRow.study_row_id == StudyRow.id)
    return query.join(PatientRow, StudyRow.patient_row_id == PatientRow.id).where(_received()), columns


def _derived_series() -> tuple[Select[Any], Columns]:
    count = DerivedSeriesRow.instance_count
    query, columns = _labelled(_of_derived_series(), _derived=literal(1), _order=DerivedSeriesRow.id, _count=count)
    return _shown(query.select_from(DerivedSeriesRow)), columns


def _shown(query: Select[Any]) -> Select[Any]:
    """With the study and patient of derived series that may be seen."""
    return (
        query.join(CaseRow, CaseRow.case_id == DerivedSeriesRow.case_id)
        .join(StudyRow, StudyRow.study_instance_uid == DerivedSeriesRow.study_instance_uid)
        .join(PatientRow, StudyRow.patient_row_id == PatientRow.id)
        .where(CaseRow.state.in_(SHOWN), _has_received())
    )


def _of_instance(row: Any) -> tuple[Columns, Columns]:
    keys = {
        "SOPInstanceUID": row.sop_instance_uid,
        "SOPClassUID": row.sop_class_uid,
        "InstanceNumber": row.instance_number,
    }
    return keys, {"_syntax": row.transfer_syntax_uid, "_digest": row.digest, "_size": row.size_bytes}


def _received_instances() -> tuple[Select[Any], Columns]:
    keys, kept = _of_instance(InstanceRow)
    frames = {"NumberOfFrames": InstanceRow.number_of_frames}
    query, columns = _labelled({**_of_received_series(), **keys, **frames}, **kept)
    query = query.select_from(InstanceRow).join(SeriesRow, InstanceRow.series_row_id == SeriesRow.id)
    query = query.join(StudyRow, SeriesRow.study_row_id == StudyRow.id)
    return query.join(PatientRow, StudyRow.patient_row_id == PatientRow.id).where(_received()), columns


def _derived_instances() -> tuple[Select[Any], Columns]:
    keys, kept = _of_instance(DerivedInstanceRow)
    query, columns = _labelled({**_of_derived_series(), **keys, "NumberOfFrames": literal(None)}, **kept)
    query = query.select_from(DerivedInstanceRow).join(
        DerivedSeriesRow, DerivedInstanceRow.series_row_id == DerivedSeriesRow.id
    )
    return _shown(query), columns


def _count_studies(session: Session, patients: list[dict[str, Any]]) -> None:
    ids = [patient["_id"] for patient in patients]
    studies = (
        select(StudyRow.patient_row_id, func.count())
        .where(StudyRow.patient_row_id.in_(ids), _has_received())
        .group_by(StudyRow.patient_row_id)
    )
    counts = {row[0]: row[1] for row in session.execute(studies)}
    for patient in patients:
        patient["NumberOfPatientRelatedStudies"] = counts.get(patient["_id"], 0)


def _add_series(session: Session, level: Level, found: list[dict[str, Any]]) -> None:
    """Counts and modalities of the studies of `found`; at the level SERIES also how many instances it has itself."""
    uids = {row["StudyInstanceUID"] for row in found}
    classes: dict[str, list[tuple[str, int]]] = {uid: [] for uid in uids}
    for query, columns in (_received_series(), _derived_series()):
        for one in session.execute(query.where(columns["StudyInstanceUID"].in_(uids))).mappings():
            classes[one["StudyInstanceUID"]].append((one["Modality"], one["_count"]))
    for row in found:
        series = classes[row["StudyInstanceUID"]]
        row["ModalitiesInStudy"] = sorted({modality for modality, _ in series})
        row["NumberOfStudyRelatedSeries"] = len(series)
        row["NumberOfStudyRelatedInstances"] = sum(count for _, count in series)
        if level is Level.SERIES:
            row["NumberOfSeriesRelatedInstances"] = row["_count"]
