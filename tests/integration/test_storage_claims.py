"""The contract of claiming, with competing processes, on every database: each case is carried out by one worker."""

import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import pytest

from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.errors import StaleClaimError
from storage.records import AddOutcome, CaseState, Claim
from storage.session import Database
from tests.fixtures.stored_records import NOON, case_result, fusion_plan, instance_record

LEASE_S = 60.0
PROCESSES = 4


@pytest.fixture
def cases(database: Database) -> Cases:
    return Cases(database)


def now() -> datetime:
    return datetime.now(UTC)


def opened(cases: Cases, name: str, patient_key: str) -> str:
    return cases.open(fusion_plan(name), patient_key, CaseState.QUEUED, "matched", "scheduler")[0].case_id


def claimed(cases: Cases, worker: str, at: datetime) -> Claim:
    claim = cases.claim(worker, LEASE_S, at)
    assert claim is not None
    return claim


def test_the_oldest_case_comes_first(cases: Cases) -> None:
    names = [opened(cases, name, name) for name in "abc"]
    assert [claimed(cases, "w", now()).case.case_id for _ in names] == names
    assert cases.claim("w", LEASE_S, now()) is None


def test_of_one_patient_one_case_runs_at_a_time(cases: Cases) -> None:
    first, second, other = (opened(cases, name, key) for name, key in (("a", "k"), ("b", "k"), ("c", "l")))
    claim = claimed(cases, "w", now())
    assert claim.case.case_id == first
    assert claimed(cases, "w", now()).case.case_id == other
    assert cases.claim("w", LEASE_S, now()) is None

    cases.record_result(claim, case_result(), CaseState.REVIEW, "review", [])
    assert claimed(cases, "w", now()).case.case_id == second


def test_a_lapsed_lease_is_claimed_anew_and_its_holder_fenced_off(cases: Cases) -> None:
    case_id = opened(cases, "a", "k")
    opened(cases, "b", "k")
    start = now()
    lost = claimed(cases, "worker-1", start)
    assert lost.lease_until == start + timedelta(seconds=LEASE_S)
    assert cases.claim("worker-2", LEASE_S, start + timedelta(seconds=LEASE_S - 1)) is None

    held = claimed(cases, "worker-2", start + timedelta(seconds=LEASE_S))
    assert held.case.case_id == case_id, "not the other case of the patient: this one is still running"
    assert held.token != lost.token
    assert held.case.attempts == 2
    assert not cases.renew(case_id, lost.token, LEASE_S, start)
    with pytest.raises(StaleClaimError):
        cases.record_result(lost, case_result(verdict="late"), CaseState.ACCEPTED, "late", [])
    with pytest.raises(StaleClaimError):
        cases.fail(lost, "late", None)

    assert cases.get(case_id).result is None
    done = cases.record_result(held, case_result(), CaseState.ACCEPTED, "accept", [])
    assert done.result == case_result()
    with pytest.raises(StaleClaimError):
        cases.record_result(held, case_result(), CaseState.ACCEPTED, "twice", [])
    assert [(event.to_state, event.actor) for event in cases.events(case_id)][1:4] == [
        (CaseState.RUNNING, "worker-1"),
        (CaseState.QUEUED, "worker-2"),
        (CaseState.RUNNING, "worker-2"),
    ]


def test_a_renewed_lease_holds(cases: Cases) -> None:
    case_id = opened(cases, "a", "k")
    start = now()
    claim = claimed(cases, "w", start)
    assert cases.renew(case_id, claim.token, LEASE_S, start + timedelta(seconds=50))
    assert cases.claim("x", LEASE_S, start + timedelta(seconds=100)) is None
    assert not cases.renew(case_id, "another token", LEASE_S, start)
    assert not cases.renew("f" * 64, claim.token, LEASE_S, start)


def test_a_lease_that_lapsed_unnoticed_still_counts(cases: Cases) -> None:
    opened(cases, "a", "k")
    claim = claimed(cases, "w", now() - timedelta(hours=1))
    assert cases.record_result(claim, case_result(), CaseState.REVIEW, "review", []).state is CaseState.REVIEW


def compete(url: str, name: str, answers: Connection) -> None:
    """Claim and finish cases until none is left; send back (case, patient, from, to) of each."""
    database = Database(url)
    cases = Cases(database)
    done = []
    answers.send("ready")
    answers.recv()
    while any(case.state in (CaseState.QUEUED, CaseState.RUNNING) for case in cases.list(1000)):
        claim = cases.claim(name, LEASE_S, now())
        if claim is None:
            time.sleep(0.002)
            continue
        began = time.monotonic()
        time.sleep(0.002)
        ended = time.monotonic()
        cases.record_result(claim, case_result(verdict=name), CaseState.REVIEW, "review", [])
        done.append((claim.case.case_id, claim.case.patient_key, began, ended))
    answers.send(done)
    database.dispose()


def hold(url: str, answers: Connection) -> None:
    """Claim a case and never come back."""
    claim = Cases(Database(url)).claim("killed", 1.0, now())
    answers.send(claim.case.case_id if claim else None)
    time.sleep(600)


def enter(url: str, first: int, answers: Connection) -> None:
    """Enter twenty instances of one new study."""
    database = Database(url)
    catalogue = Catalogue(database)
    answers.send("ready")
    answers.recv()
    answers.send([catalogue.add_instance(instance_record(n, f"1.2.3.{n % 3}"), NOON) for n in range(first, first + 20)])
    database.dispose()


class Team:
    """Processes that were started, each with the near end of its pipe."""

    def __init__(self) -> None:
        self.members: list[tuple[BaseProcess, Connection]] = []

    def start(self, work: object, *arguments: object) -> tuple[BaseProcess, Connection]:
        context = multiprocessing.get_context("spawn")
        near, far = context.Pipe()
        process = context.Process(target=work, args=(*arguments, far), daemon=True)  # type: ignore[arg-type]
        process.start()
        far.close()
        self.members.append((process, near))
        return process, near

    def answers(self) -> list[object]:
        """Wait until all are ready, let them go at once, and gather what they say."""
        for _process, near in self.members:
            assert near.recv() == "ready"
        for _process, near in self.members:
            near.send("go")
        return [near.recv() for _process, near in self.members]


@pytest.fixture
def team() -> Iterator[Team]:
    team = Team()
    yield team
    for process, near in team.members:
        process.kill()
        process.join()
        process.close()
        near.close()


def test_competing_processes_carry_out_each_case_once_and_each_patient_one_at_a_time(
    cases: Cases, any_database_url: str, team: Team
) -> None:
    wanted = {opened(cases, f"case{number}", f"patient{number % 3}") for number in range(24)}
    for number in range(PROCESSES):
        team.start(compete, any_database_url, f"worker-{number}")
    done = [item for answer in team.answers() for item in answer]  # type: ignore[attr-defined]

    assert Counter(case_id for case_id, *_ in done) == Counter(wanted)
    assert all(case.attempts == 1 and case.state is CaseState.REVIEW for case in cases.list(1000))
    for key in {key for _, key, *_ in done}:
        spans = sorted((began, ended) for _, of, began, ended in done if of == key)
        assert all(ended <= began for (_, ended), (began, _) in pairwise(spans))


def test_the_case_of_a_killed_process_is_carried_out_by_another(
    cases: Cases, any_database_url: str, team: Team
) -> None:
    case_id = opened(cases, "a", "k")
    process, near = team.start(hold, any_database_url)
    assert near.recv() == case_id
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)

    assert cases.claim("worker-2", LEASE_S, now() - timedelta(seconds=1)) is None
    claim = claimed(cases, "worker-2", now() + timedelta(seconds=2))
    assert (claim.case.case_id, claim.case.attempts) == (case_id, 2)


def test_competing_processes_enter_each_instance_once(database: Database, any_database_url: str, team: Team) -> None:
    for first in (0, 0, 10, 20):
        team.start(enter, any_database_url, first)
    outcomes = [outcome for answer in team.answers() for outcome in answer]  # type: ignore[attr-defined]

    assert Counter(outcomes) == {AddOutcome.NEW: 40, AddOutcome.DUPLICATE: 40}
    catalogue = Catalogue(database)
    assert sum(series.instance_count for series in catalogue.list_series()) == 40
    assert sum(len(catalogue.instances(series.series_instance_uid)) for series in catalogue.list_series()) == 40
