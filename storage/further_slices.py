"""Further slices of series that are there already, entered in three statements a series: what nearly every instance is.

Whatever is out of the ordinary (a new series, a localiser, another patient or study, a name that is taken) is left to
`entering`, which knows every case; nothing has then been written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import groupby
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Insert, Table, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from .entering import TICK
from .models import Base
from .records import InstanceRecord, PatientIdentity, SeriesHeader, SeriesState
from .series_facts import header_order

TABLES: Mapping[str, Table] = Base.metadata.tables
SERIES, STUDIES, PATIENTS, INSTANCES = (TABLES[name] for name in ("series", "studies", "patients", "instances"))
KNOWN = (
    select(
        SERIES.c.id,
        SERIES.c.instance_count,
        SERIES.c.localiser_count,
        SERIES.c.first_received_at,
        SERIES.c.last_received_at,
        SERIES.c.header_order,
        STUDIES.c.study_instance_uid,
        PATIENTS.c.patient_id,
        PATIENTS.c.issuer,
        SERIES.c.patient_name,
        SERIES.c.patient_birth_date,
        SERIES.c.patient_sex,
        SERIES.c.held_at,
    )
    .join_from(SERIES, STUDIES, SERIES.c.study_row_id == STUDIES.c.id)
    .join(PATIENTS, SERIES.c.patient_row_id == PATIENTS.c.id)
    .where(SERIES.c.series_instance_uid == bindparam("uid"))
    .with_for_update(of=SERIES)
)
CHANGE = update(SERIES).where(SERIES.c.id == bindparam("row_id"))
INSERTIONS: Mapping[str, Insert] = MappingProxyType(
    {
        "sqlite": sqlite.insert(INSTANCES).on_conflict_do_nothing(),
        "postgresql": postgresql.insert(INSTANCES).on_conflict_do_nothing(),
    }
)
HEADER = tuple(field.name for field in fields(SeriesHeader))

Further = Sequence[tuple[InstanceRecord, datetime]]
Known = Any
"""A row of `KNOWN`."""


class UnusualError(Exception):
    """Not every instance is a further slice of a series that is there."""


def enter_further(connection: Connection, instances: Further) -> None:
    """Enter all of them. Raises `UnusualError` when that is not all there is to do: roll back, and use `entering`."""
    if len({instance.sop_instance_uid for instance, _ in instances}) < len(instances):
        raise UnusualError
    # In one order everywhere, so that two processes never wait for each other's series.
    ordered = sorted(instances, key=_series_uid)
    found = [_of_series(connection, uid, list(further)) for uid, further in groupby(ordered, key=_series_uid)]
    rows = [_instance_values(instance, known.id) for known, further in found for instance, _ in further]
    inserted = connection.execute(
        INSERTIONS[connection.dialect.name], rows, execution_options={"preserve_rowcount": True}
    )
    if inserted.rowcount != len(rows):
        raise UnusualError
    for known, further in found:
        connection.execute(CHANGE, {"row_id": known.id, **_series_values(known, further)})


def _series_uid(entry: tuple[InstanceRecord, datetime]) -> str:
    return entry[0].series.series_instance_uid


def _of_series(connection: Connection, uid: str, further: Further) -> tuple[Known, Further]:
    """The series' row, locked."""
    known = connection.execute(KNOWN, {"uid": uid}).first()
    if known is None or known.instance_count == 0 or known.localiser_count > 0 or known.held_at is not None:
        raise UnusualError
    patient = PatientIdentity(
        patient_id=known.patient_id,
        issuer=known.issuer,
        name=known.patient_name,
        birth_date=known.patient_birth_date,
        sex=known.patient_sex,
    )
    for instance, _ in further:
        same = instance.patient == patient and instance.study.study_instance_uid == known.study_instance_uid
        if not same or instance.is_localiser:
            raise UnusualError
    return known, further


def _instance_values(instance: InstanceRecord, series_row_id: int) -> dict[str, Any]:
    return {
        "sop_instance_uid": instance.sop_instance_uid,
        "series_row_id": series_row_id,
        "sop_class_uid": instance.sop_class_uid,
        "transfer_syntax_uid": instance.transfer_syntax_uid,
        "digest": instance.stored.digest,
        "size_bytes": instance.stored.size_bytes,
        "pixel_digest": instance.pixel_digest,
        "source_ae_title": instance.source_ae_title,
        "received_at": instance.received_at,
        "instance_number": instance.instance_number,
        "number_of_frames": instance.number_of_frames,
        "position": instance.position,
        "is_localiser": instance.is_localiser,
    }


def _series_values(known: Known, further: Further) -> dict[str, Any]:
    """What the series becomes; its header is that of the first slice, whenever it came."""
    last = known.last_received_at
    for instance, _ in further:
        last = max(instance.received_at, last + TICK)
    values: dict[str, Any] = {
        "instance_count": known.instance_count + len(further),
        "first_received_at": min(known.first_received_at, *(instance.received_at for instance, _ in further)),
        "last_received_at": last,
        "state": SeriesState.RECEIVING,
        "due_at": further[-1][1],
        "evidence": [],
        "matched_at": None,
    }
    first = min((instance for instance, _ in further), key=header_order)
    if header_order(first) <= known.header_order:
        values |= {name: getattr(first.series, name) for name in HEADER}
        values |= {"attributes": dict(first.series.attributes), "header_order": header_order(first)}
    return values
