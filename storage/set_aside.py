"""Other bytes under a name that is taken: what they are, and the decision which are in use."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Select, delete, exists, select
from sqlalchemy.orm import Session

from .entering import header_values, in_use, series_query
from .errors import IllegalTransitionError, UnknownRecordError
from .interventions import note_intervention
from .models import InstanceRow, SeriesRow, SetAsideRow
from .records import AddOutcome, InstanceRecord, SeriesState, SetAsideInstance, StoredObject
from .series_facts import contradictions, header_order
from .session import Database

CHOSEN = "instance chosen"


class SetAside:
    """Versions and conflicts. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, sop_instance_uid: str = "") -> tuple[SetAsideInstance, ...]:
        """All of them, or those of one name, the oldest first."""
        wanted = _wanted().order_by(SetAsideRow.id)
        if sop_instance_uid:
            wanted = wanted.where(InstanceRow.sop_instance_uid == sop_instance_uid)
        with self._database.reading() as session:
            return tuple(_record(row, instance, series) for row, instance, series in session.execute(wanted))

    def find(self, sop_instance_uid: str, digest: str) -> SetAsideInstance:
        """Those bytes of that name; the first characters of the digest are enough. Raises `UnknownRecordError`."""
        found = [one for one in self.list(sop_instance_uid) if one.stored.digest.startswith(digest)]
        if len(found) != 1:
            what = "several set aside begin" if found else "nothing set aside begins"
            raise UnknownRecordError(f"{what} with {digest!r} under the instance {sop_instance_uid}")
        return found[0]

    def count(self, reason: AddOutcome) -> int:
        """How many there are of that kind."""
        return sum(one.reason is reason for one in self.list())

    def judge(self, one: SetAsideInstance, reason: AddOutcome, differences: Sequence[str]) -> None:
        """Keep what comparing it with the bytes in use has shown."""
        with self._database.session() as session:
            row = _row(session, one)
            if row is not None:
                row.reason, row.differences = reason, list(differences)

    def forget(self, one: SetAsideInstance) -> bool:
        """It says what the bytes in use say: nothing of it is kept. Whether its object is now nobody's."""
        with self._database.session() as session:
            row = _row(session, one)
            if row is not None:
                session.execute(delete(SetAsideRow).where(SetAsideRow.id == row.id))
            digest = one.stored.digest
            needed = exists().where(InstanceRow.digest == digest) | exists().where(SetAsideRow.digest == digest)
            return not session.scalar(select(needed))

    def use(self, one: SetAsideInstance, instance: InstanceRecord, actor: str, cause: str) -> None:
        """A person decides that the bytes set aside are to be used; `instance` is what they say.

        Those in use until now are set aside in their place. The series is matched again. Raises
        `UnknownRecordError`, and `IllegalTransitionError` where the bytes belong to another series or patient.
        """
        with self._database.session() as session:
            known = in_use(session, one.sop_instance_uid)
            aside = _row(session, one)
            if known is None or aside is None:
                raise UnknownRecordError(f"the instance {one.sop_instance_uid} is not set aside in that form any more")
            wanted = series_query().where(SeriesRow.id == known.series_row_id)
            series = session.scalars(wanted.with_for_update(of=SeriesRow)).one()
            _require_same_place(series, instance)
            former, is_header = _content(known), header_order(instance) <= series.header_order
            for name, value in _content(aside).items():
                setattr(known, name, value)
            for name, value in former.items():
                setattr(aside, name, value)
            known.instance_number, known.number_of_frames = instance.instance_number, instance.number_of_frames
            known.position = instance.position
            series.localiser_count += instance.is_localiser - known.is_localiser
            known.is_localiser = instance.is_localiser
            known.chosen_at = datetime.now(UTC)
            if is_header:
                for name, value in header_values(session, instance, instance.patient).items():
                    setattr(series, name, value)
            if series.state is SeriesState.COMPLETE:
                series.matched_at = None
            details = {"digest": one.stored.digest, "instead_of": former["digest"]}
            note_intervention(session, CHOSEN, one.sop_instance_uid, cause, actor, details)


def _wanted() -> Select[SetAsideRow, InstanceRow, str]:
    return (
        select(SetAsideRow, InstanceRow, SeriesRow.series_instance_uid)
        .join(InstanceRow, SetAsideRow.instance_row_id == InstanceRow.id)
        .join(SeriesRow, InstanceRow.series_row_id == SeriesRow.id)
    )


def _record(row: SetAsideRow, instance: InstanceRow, series_instance_uid: str) -> SetAsideInstance:
    return SetAsideInstance(
        sop_instance_uid=instance.sop_instance_uid,
        series_instance_uid=series_instance_uid,
        reason=row.reason,
        transfer_syntax_uid=row.transfer_syntax_uid,
        stored=StoredObject(row.digest, row.size_bytes),
        pixel_digest=row.pixel_digest,
        source_ae_title=row.source_ae_title,
        received_at=row.received_at,
        differences=None if row.differences is None else tuple(row.differences),
        in_use=StoredObject(instance.digest, instance.size_bytes),
    )


def _row(session: Session, one: SetAsideInstance) -> SetAsideRow | None:
    wanted = (
        select(SetAsideRow)
        .join(InstanceRow, SetAsideRow.instance_row_id == InstanceRow.id)
        .where(InstanceRow.sop_instance_uid == one.sop_instance_uid, SetAsideRow.digest == one.stored.digest)
    )
    return session.scalars(wanted.with_for_update(of=SetAsideRow)).first()


def _content(row: InstanceRow | SetAsideRow) -> dict[str, object]:
    """What is told apart by its bytes."""
    names = ("digest", "size_bytes", "pixel_digest", "transfer_syntax_uid", "source_ae_title", "received_at")
    return {name: getattr(row, name) for name in names}


def _require_same_place(series: SeriesRow, instance: InstanceRecord) -> None:
    if instance.series.series_instance_uid != series.series_instance_uid:
        raise IllegalTransitionError(f"these bytes belong to the series {instance.series.series_instance_uid}")
    torn = contradictions(series, instance)
    if torn:
        raise IllegalTransitionError(
            f"these bytes say otherwise than their series about {', '.join(torn)}; "
            "settle the identity first (`dicomnode identity`)"
        )
