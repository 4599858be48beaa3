"""What was received: patients, studies, series and instances, and when a series is held to be complete.

The first instance of a SOP Instance UID is the one in use for ever; other bytes of that name are set aside. The header
of a series is that of its first slice, whenever it came (see `series_facts`).
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, exists, select, update

from .announcements import AnnouncementLog
from .entering import RacedError, enter, enter_all, patient_of, series_query
from .errors import UnknownRecordError
from .further_slices import UnusualError, enter_further
from .identity_changes import IdentityChanges, folded
from .models import InstanceRow, PatientRow, SeriesRow, SetAsideRow
from .quarantine import Quarantine
from .records import (
    AddOutcome,
    InstanceRecord,
    SeriesHeader,
    SeriesRecord,
    SeriesState,
    SetAsideInstance,
    StoredObject,
    StudyHeader,
)
from .session import Database
from .set_aside import SetAside

ASKED_AT_ONCE = 500
"""Parameters of one statement; databases take some thousand."""


class Catalogue:
    """The index of what was received. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_instance(self, instance: InstanceRecord, due_at: datetime) -> AddOutcome:
        """Enter the instance, whose bytes are already kept; its series is complete at `due_at` unless more comes.

        NEW reopens a complete series. DUPLICATE (the bytes in use) changes nothing. VERSION (same encoded pixels) and
        CONFLICT set the bytes aside, once, and are answered whenever they come; the first stay in use.
        """
        return self.add_instances([(instance, due_at)])[0]

    def add_instances(
        self, instances: Sequence[tuple[InstanceRecord, datetime]], *, durable: bool = True
    ) -> list[AddOutcome]:
        """`add_instance` for several in one transaction, which costs hardly more than for one.

        `durable` False is for who can enter them again: a power cut may undo it until `make_durable` has returned.
        """
        with suppress(UnusualError):
            with self._database.connection(durable=durable) as connection:
                enter_further(connection, instances)
            return [AddOutcome.NEW] * len(instances)
        if len(instances) > 1:
            with suppress(RacedError), self._database.session() as session:
                return enter_all(session, instances)
        return [self._add(instance, due_at) for instance, due_at in instances]

    def make_durable(self) -> None:
        """Return when everything that was entered outlives a power cut."""
        self._database.make_durable()

    def _add(self, instance: InstanceRecord, due_at: datetime) -> AddOutcome:
        with self._database.session() as session:
            return enter(session, instance, due_at)

    def due_series(self, now: datetime) -> tuple[SeriesRecord, ...]:
        """The series whose quiet time is over, the longest due first."""
        due = series_query().where(SeriesRow.state == SeriesState.RECEIVING, SeriesRow.due_at <= now)
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
        found = self._records(series_query().where(SeriesRow.series_instance_uid == series_instance_uid))
        if not found:
            raise UnknownRecordError(f"no series {series_instance_uid} was received")
        return found[0]

    def instances(self, series_instance_uid: str) -> tuple[InstanceRecord, ...]:
        """The instances in use, by position along the slice normal, then by number; headers are the series' own."""
        wanted = (
            select(*InstanceRow.__table__.columns)  # bare rows: an object for each would cost more than all the rest
            .join(SeriesRow, InstanceRow.series_row_id == SeriesRow.id)
            .where(SeriesRow.series_instance_uid == series_instance_uid)
        )
        with self._database.reading() as session:
            series = session.scalars(series_query().where(SeriesRow.series_instance_uid == series_instance_uid)).first()
            if series is None:
                raise UnknownRecordError(f"no series {series_instance_uid} was received")
            record = _series_record(series)
            instances = [_instance_record(row, record) for row in session.execute(wanted)]
        return tuple(sorted(instances, key=_order))

    def series_of_patient_id(self, patient_id: str) -> tuple[SeriesRecord, ...]:
        """Complete series, not made here and not in quarantine, of a Patient ID but for case and spaces, of any issuer.

        An empty ID is nobody's.
        """
        wanted_id = folded(patient_id)
        if not wanted_id:
            return ()
        wanted = (
            series_query()
            .join(PatientRow, SeriesRow.patient_row_id == PatientRow.id)
            .where(
                PatientRow.folded_id == wanted_id,
                SeriesRow.state == SeriesState.COMPLETE,
                SeriesRow.held_at.is_(None),
                SeriesRow.own_output.is_(False),
            )
        )
        return self._records(wanted.order_by(SeriesRow.id))

    def series_born_on(self, birth_date: str) -> tuple[SeriesRecord, ...]:
        """Complete series, not made here, not in quarantine, of patients with that birth date as it is written."""
        if not birth_date:
            return ()
        wanted = series_query().where(
            SeriesRow.patient_birth_date == birth_date,
            SeriesRow.state == SeriesState.COMPLETE,
            SeriesRow.own_output.is_(False),
            SeriesRow.held_at.is_(None),
        )
        return self._records(wanted.order_by(SeriesRow.id))

    def list_series(self, limit: int = 100, state: SeriesState | None = None) -> tuple[SeriesRecord, ...]:
        """The newest series first."""
        wanted = series_query().order_by(SeriesRow.last_received_at.desc(), SeriesRow.id.desc()).limit(limit)
        return self._records(wanted if state is None else wanted.where(SeriesRow.state == state))

    def unmatched_series(self) -> tuple[SeriesRecord, ...]:
        """Complete series, not made here, not in quarantine, that nobody tried to match since; the oldest first."""
        wanted = series_query().where(
            SeriesRow.state == SeriesState.COMPLETE,
            SeriesRow.matched_at.is_(None),
            SeriesRow.own_output.is_(False),
            SeriesRow.held_at.is_(None),
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

    @property
    def aside(self) -> SetAside:
        """What came under names that are taken."""
        return SetAside(self._database)

    @property
    def announcements(self) -> AnnouncementLog:
        """What others said is to come or is there."""
        return AnnouncementLog(self._database)

    @property
    def quarantine(self) -> Quarantine:
        """Series that contradict their study or themselves."""
        return Quarantine(self._database)

    @property
    def identities(self) -> IdentityChanges:
        """Patients that were merged, studies that were moved."""
        return IdentityChanges(self._database)

    def set_aside(self) -> tuple[SetAsideInstance, ...]:
        """Versions and conflicts, for an operator, the oldest first."""
        return self.aside.list()

    def in_use(self, sop_instance_uids: Sequence[str]) -> dict[str, tuple[str, StoredObject]]:
        """SOP class and bytes of those instances that are here, by SOP Instance UID."""
        found: dict[str, tuple[str, StoredObject]] = {}
        with self._database.reading() as session:
            for start in range(0, len(sop_instance_uids), ASKED_AT_ONCE):
                some = sop_instance_uids[start : start + ASKED_AT_ONCE]
                for row in session.scalars(select(InstanceRow).where(InstanceRow.sop_instance_uid.in_(some))):
                    found[row.sop_instance_uid] = row.sop_class_uid, StoredObject(row.digest, row.size_bytes)
        return found

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
        patient=patient_of(row),
        source_ae_title=row.source_ae_title,
        state=row.state,
        instance_count=row.instance_count,
        first_received_at=row.first_received_at,
        last_received_at=row.last_received_at,
        due_at=row.due_at,
        evidence=tuple(row.evidence),
        localiser_count=row.localiser_count,
        contradictions=tuple(row.contradictions),
        held_for=tuple(row.held_for or ()) if row.held_at is not None else (),
        corrected=row.corrected_at is not None,
    )


def _instance_record(row: Row[Any], series: SeriesRecord) -> InstanceRecord:
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
        chosen=row.chosen_at is not None,
    )
