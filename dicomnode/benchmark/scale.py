"""The index at a million instances: how long matching, finding and entering take, beside an empty one.

The rows of one patient are entered as received ones are; the database itself then multiplies them.
"""

import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from pydicom.uid import generate_uid
from sqlalchemy import text

from storage.catalogue import Catalogue
from storage.migrate import upgrade
from storage.models import Base
from storage.objects import ObjectStore
from storage.records import InstanceRecord, ReceivedInstance, StoredObject
from storage.session import Database

from ..match import match
from ..receive.ingest import Ingest
from ..settings import RuleSettings, Settings
from .ingest_slices import EXPLICIT_LITTLE_ENDIAN, Kind, slices

SLICES = 50
KINDS = (
    Kind("CT", "1.2.840.10008.5.1.4.1.1.2", 16),
    Kind("PT", "1.2.840.10008.5.1.4.1.1.128", 16),
    Kind("CT", "1.2.840.10008.5.1.4.1.1.2", 16),
    Kind("PT", "1.2.840.10008.5.1.4.1.1.128", 16),
)
STRIDE = 1000
"""Between the row IDs of one patient and those of the next."""

TABLES = ("patients", "studies", "series", "instances")
NAMES = frozenset({"patient_id", "folded_id", "study_instance_uid", "series_instance_uid", "sop_instance_uid"})
ROUNDS = 40
BATCH = 8
SETTINGS = Settings(rules=(RuleSettings(name="PT on CT", fixed="CT", moving=("PT",)),))


@dataclass(frozen=True, slots=True)
class Scale:
    """Medians in ms, of wall and CPU time of this process; memory in MB, largest so far."""

    instances: int
    match_ms: float
    match_cpu_ms: float
    find_ms: float
    find_cpu_ms: float
    enter_ms: float
    enter_cpu_ms: float
    peak_mb: float


def measure(url: str, store: ObjectStore, patients: int, say: Callable[[str], None]) -> list[Scale]:
    """Measure with one patient, then with `patients` of four series and 200 instances each. The database is emptied."""
    database = Database(url)
    upgrade(database)
    catalogue = Catalogue(database)
    take = Ingest(store, catalogue, SETTINGS)
    for record in list(_patient(take, "P")):
        catalogue.add_instance(record, record.received_at)
    for series in catalogue.list_series():
        catalogue.complete_series(series.series_instance_uid, ("generated",), series.last_received_at)
    found = [_measured(catalogue, take, 1)]
    if patients > 1:
        say(f"making {patients} patients")
        _multiply(database, patients - 1)
        found.append(_measured(catalogue, take, patients))
    database.dispose()
    return found


def _patient(take: Ingest, patient_id: str, kinds: tuple[Kind, ...] = KINDS) -> Iterator[InstanceRecord]:
    """The records of one patient's series, one study."""
    study = generate_uid()
    for number, kind in enumerate(kinds):
        same: dict[str, object] = {"PatientID": patient_id, "StudyInstanceUID": study, "SeriesNumber": number}
        for one in slices(kind, SLICES, **same):
            received = ReceivedInstance(
                sop_class_uid=one.sop_class_uid,
                sop_instance_uid=one.sop_instance_uid,
                transfer_syntax_uid=EXPLICIT_LITTLE_ENDIAN,
                dataset=one.dataset,
                calling_ae_title="SCANNER",
                called_ae_title="NODE",
                peer_address="127.0.0.1",
                received_at=datetime.now(UTC),
            )
            digest = f"{abs(hash(one.sop_instance_uid)):064x}"
            yield take.described(StoredObject(digest, len(one.dataset)), received)


def _multiply(database: Database, times: int) -> None:
    """Enter the one patient again under other names, in the database."""
    lengths = dict(zip(TABLES, (1, 1, len(KINDS), len(KINDS) * SLICES), strict=True))
    with database.connection() as connection:
        for table, length in lengths.items():
            columns = [column.name for column in Base.metadata.tables[table].columns]
            values = ", ".join(_value(name) for name in columns)
            statement = (
                f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 - names of our own tables
                "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :times) "
                f"SELECT {values} FROM {table} AS one CROSS JOIN numbers WHERE one.id <= :length"
            )
            connection.execute(text(statement), {"times": times, "length": length})
            if not database.is_sqlite:
                sequence = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"  # noqa: S608
                connection.execute(text(sequence))
        connection.execute(text("ANALYZE"))


def _value(name: str) -> str:
    if name == "id" or name.endswith("_row_id"):
        return f"one.{name} + n * {STRIDE}"
    if name == "digest":
        return "substr(one.digest, 1, 56) || substr(CAST(n + 10000000 AS TEXT), 1, 8)"
    return f"one.{name} || '.' || n" if name in NAMES else f"one.{name}"


def _measured(catalogue: Catalogue, take: Ingest, patients: int) -> Scale:
    some = [f"P.{1 + k * (patients - 2) // ROUNDS}" if patients > 2 else "P" for k in range(ROUNDS)]
    finding = _times(lambda k: catalogue.series_of_patient_id(some[k]))
    matching = _times(lambda k: _match(catalogue, some[k]))
    new = list(_patient(take, f"NEW{patients}", KINDS[:1] * (ROUNDS * BATCH // SLICES + 1)))
    batches = [[(one, one.received_at) for one in new[k * BATCH : (k + 1) * BATCH]] for k in range(ROUNDS)]
    entering = [each / BATCH for each in _times(lambda k: catalogue.add_instances(batches[k], durable=False))]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Scale(patients * len(KINDS) * SLICES, *matching, *finding, *entering, peak_mb)


def _match(catalogue: Catalogue, patient_id: str) -> None:
    """What the scheduler asks for a new series."""
    candidates = catalogue.series_of_patient_id(patient_id)
    newest = next(one for one in candidates if one.header.modality == "PT")
    found = match(newest, candidates, catalogue.instances, SETTINGS)
    if not found.decisions:
        raise AssertionError("the generated series match nothing")


def _times(call: Callable[[int], Any]) -> tuple[float, float]:
    """Medians of wall and CPU time, ms."""
    walls, cpus = [], []
    for k in range(ROUNDS):
        wall, cpu = time.perf_counter(), time.process_time()
        call(k)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return 1e3 * median(walls), 1e3 * median(cpus)
