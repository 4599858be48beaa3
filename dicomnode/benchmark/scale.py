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

from storage.catalogue import Catalogue
from storage.migrate import upgrade
from storage.multiplication import multiply
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
        multiply(database, {"series": len(KINDS), "instances": len(KINDS) * SLICES}, patients - 1)
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


def _measured(catalogue: Catalogue, take: Ingest, patients: int) -> Scale:
    some = [f"P.{1 + k * (patients - 2) // ROUNDS}" if patients > 2 else "P" for k in range(ROUNDS)]
    find_ms, find_cpu_ms = _times(lambda k: catalogue.series_of_patient_id(some[k]))
    match_ms, match_cpu_ms = _times(lambda k: _match(catalogue, some[k]))
    new = list(_patient(take, f"NEW{patients}", KINDS[:1] * (ROUNDS * BATCH // SLICES + 1)))
    batches = [[(one, one.received_at) for one in new[k * BATCH : (k + 1) * BATCH]] for k in range(ROUNDS)]
    enter_ms, enter_cpu_ms = _times(lambda k: catalogue.add_instances(batches[k], durable=False))
    return Scale(
        instances=patients * len(KINDS) * SLICES,
        match_ms=match_ms,
        match_cpu_ms=match_cpu_ms,
        find_ms=find_ms,
        find_cpu_ms=find_cpu_ms,
        enter_ms=enter_ms / BATCH,
        enter_cpu_ms=enter_cpu_ms / BATCH,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


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
