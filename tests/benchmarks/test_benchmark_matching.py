"""How long matching one new series takes when many are stored.

Small by default; DICOMNODE_BENCHMARK_SERIES=20000 makes it a million instances (50 a series). Prints what it measured.
"""

import os
import time
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from sqlalchemy import insert

from dicomnode.match import match
from dicomnode.settings import RuleSettings, Settings
from storage.catalogue import Catalogue
from storage.migrate import upgrade
from storage.models import InstanceRow, PatientRow, SeriesRow, StudyRow
from storage.records import SeriesState
from storage.series_facts import header_order
from storage.session import Database
from tests.fixtures.series_records import MONDAY, RECEIVED, MadeSeries, ct, mr, pet

pytestmark = pytest.mark.benchmark

SERIES = int(os.environ.get("DICOMNODE_BENCHMARK_SERIES", "400"))
SLICES = 50
SERIES_A_PATIENT = 4
ROUNDS = 20
LIMIT_S = 0.25
"""For one match, the database included; far above what is measured, because the machine is shared."""


def fill(database: Database) -> None:
    """Many patients, each with CT, PET, uncorrected PET and MR: bulk rows, since receiving is not what is measured."""
    kinds: list[MadeSeries] = [
        ct(slices=SLICES),
        pet(slices=SLICES),
        pet("1.3.4", slices=SLICES, description="PET NAC"),
        mr(slices=SLICES),
    ]
    with database.session() as session:
        for start in range(1, SERIES // SERIES_A_PATIENT + 1, 250):
            numbers = range(start, min(start + 250, SERIES // SERIES_A_PATIENT + 1))
            session.execute(
                insert(PatientRow),
                [{"id": n, "issuer": "HOSPITAL", "patient_id": f"P{n}", "folded_id": f"p{n}"} for n in numbers],
            )
            session.execute(insert(StudyRow), [study_row(n) for n in numbers])
            session.execute(
                insert(SeriesRow), [series_row(made, n, k) for n in numbers for k, made in enumerate(kinds)]
            )
            session.execute(
                insert(InstanceRow),
                [row for n in numbers for k, made in enumerate(kinds) for row in instance_rows(made, n, k)],
            )


def study_row(n: int) -> dict[str, Any]:
    return {
        "id": n,
        "study_instance_uid": f"1.2.{n}",
        "patient_row_id": n,
        "study_date": "20240304",
        "study_time": "090000",
        "accession_number": "",
        "description": "",
    }


def series_row(made: MadeSeries, n: int, k: int) -> dict[str, Any]:
    header = made.record.header
    return {
        "id": n * SERIES_A_PATIENT + k,
        "series_instance_uid": f"1.3.{n}.{k}",
        "study_row_id": n,
        "patient_row_id": n,
        "patient_name": f"DOE^NUMBER {n}",
        "patient_birth_date": "19600101",
        "patient_sex": "O",
        "modality": header.modality,
        "sop_class_uid": header.sop_class_uid,
        "frame_of_reference_uid": header.frame_of_reference_uid,
        "series_number": str(k),
        "description": header.description,
        "body_part": "",
        "acquired_at": MONDAY + timedelta(minutes=k),
        "own_output": False,
        "attributes": dict(header.attributes),
        "source_ae_title": "SCANNER",
        "header_order": header_order(made.instances[0]),
        "state": SeriesState.COMPLETE,
        "instance_count": SLICES,
        "localiser_count": 0,
        "contradictions": [],
        "first_received_at": RECEIVED,
        "last_received_at": RECEIVED,
        "due_at": None,
        "evidence": [],
        "matched_at": RECEIVED,
    }


def instance_rows(made: MadeSeries, n: int, k: int) -> list[dict[str, Any]]:
    return [
        {
            "sop_instance_uid": f"1.4.{n}.{k}.{one.instance_number}",
            "series_row_id": n * SERIES_A_PATIENT + k,
            "sop_class_uid": one.sop_class_uid,
            "transfer_syntax_uid": one.transfer_syntax_uid,
            "digest": one.stored.digest,
            "size_bytes": one.stored.size_bytes,
            "pixel_digest": one.pixel_digest,
            "source_ae_title": "SCANNER",
            "received_at": RECEIVED,
            "instance_number": one.instance_number,
            "number_of_frames": 1,
            "position": one.position,
            "is_localiser": one.is_localiser,
        }
        for one in made.instances
    ]


def test_a_new_series_is_matched_in_milliseconds(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    upgrade(database)
    fill(database)
    catalogue = Catalogue(database)
    configured = Settings(
        rules=(
            RuleSettings(name="petct", fixed="CT", moving=("PT",)),
            RuleSettings(name="all", fixed="CT", moving=("PT", "MR")),
        )
    )
    seconds = []
    for number in range(ROUNDS):
        n = 1 + number * (SERIES // SERIES_A_PATIENT) // ROUNDS
        series = catalogue.series(f"1.3.{n}.1")
        started = time.perf_counter()
        candidates = catalogue.series_of_patient_id(series.patient.patient_id)
        matching = match(series, candidates, catalogue.instances, configured)
        seconds.append(time.perf_counter() - started)
        assert [decision.plan.rule for decision in matching.decisions] == ["petct", "all"]
        assert matching.decisions[0].plan.moving[0].series_instance_uid == f"1.3.{n}.1"
    database.dispose()
    print(
        f"matching among {SERIES} series ({SERIES * SLICES} instances): "
        f"median {median(seconds) * 1000:.1f} ms, longest {max(seconds) * 1000:.1f} ms"
    )
    assert median(seconds) < LIMIT_S
