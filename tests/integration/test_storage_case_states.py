"""A machine that does everything to cases, in any order: only the table's ways are ever gone, and each leaves a row."""

import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from storage.cases import TRANSITIONS, Cases
from storage.errors import IllegalTransitionError, StaleClaimError
from storage.migrate import upgrade
from storage.outbox import Outbox
from storage.records import CaseEvent, CaseRecord, CaseState, Claim, Delivery, DeliveryState
from storage.session import Database
from storage.transitions import GIVEN_UP
from tests.fixtures.stored_records import case_result, derived_series, fusion_plan

LEASE_S = 60.0
ARRIVED = {DeliveryState.DONE, DeliveryState.COMMITTED}
PLANS = [fusion_plan(f"plan{number}") for number in range(4)]
numbers = st.integers(0, 3)


class CasesAsTheyGo(RuleBasedStateMachine):
    """Four plans of two patients, any number of workers, a clock that only this machine turns."""

    def __init__(self) -> None:
        super().__init__()
        # In memory where there is such a folder: what survives a power cut is shown elsewhere.
        self.folder = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        self.database = Database(f"sqlite:///{Path(self.folder.name) / 'ledger.sqlite'}")
        upgrade(self.database)
        self.cases, self.outbox = Cases(self.database), Outbox(self.database)
        self.now = datetime.now(UTC) + timedelta(hours=1)
        self.claims: list[Claim] = []
        self.first_results: dict[str, object] = {}

    @initialize()
    def begin_with_something_to_do(self) -> None:
        for number in range(3):
            self.cases.open(PLANS[number], f"patient{number % 2}", CaseState.QUEUED, "c", "a")
        self.claim()

    def teardown(self) -> None:
        self.database.dispose()
        self.folder.cleanup()

    def look(self) -> tuple[Sequence[CaseRecord], list[Sequence[CaseEvent]], list[Sequence[Delivery]]]:
        records = self.cases.list()
        return (
            records,
            [self.cases.events(record.case_id) for record in records],
            [self.outbox.of_case(record.case_id) for record in records],
        )

    def try_to(self, act: Callable[[], object], legal: bool, error: type[Exception]) -> None:
        """Do it where it is legal; where it is not, it raises and leaves everything as it was."""
        if legal:
            act()
            return
        with pytest.raises(error):
            act()
        assert self.look() == self.seen

    def known(self, number: int) -> CaseRecord | None:
        return next((record for record in self.seen[0] if record.case_id == PLANS[number].key), None)

    @rule(number=numbers, state=st.sampled_from(CaseState))
    def open(self, number: int, state: CaseState) -> None:
        plan, there = PLANS[number], self.known(number)
        if there is not None and state in TRANSITIONS[None]:
            assert self.cases.open(plan, f"patient{number % 2}", state, "c", "a") == (there, False)
            return
        self.try_to(
            lambda: self.cases.open(plan, f"patient{number % 2}", state, "c", "a"),
            state in TRANSITIONS[None],
            IllegalTransitionError,
        )

    @rule(seconds=st.sampled_from([1, 30, 61]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def claim(self) -> None:
        running = {record.patient_key for record in self.cases.list(states=[CaseState.RUNNING])}
        claim = self.cases.claim("worker", LEASE_S, self.now)
        if claim is not None:
            assert claim.case.state is CaseState.RUNNING
            lapsed = [old for old in self.claims if old.case.case_id == claim.case.case_id]
            assert claim.case.patient_key not in running or lapsed
            self.claims.append(claim)

    @rule(which=st.integers(0, 5))
    def renew(self, which: int) -> None:
        if self.claims:
            claim = self.claims[which % len(self.claims)]
            holds = self.holds(claim)
            assert self.cases.renew(claim.case.case_id, claim.token, LEASE_S, self.now) is holds

    def holds(self, claim: Claim) -> bool:
        latest = next(old for old in reversed(self.claims) if old.case.case_id == claim.case.case_id)
        return latest is claim and self.cases.get(claim.case.case_id).state is CaseState.RUNNING

    @rule(which=st.integers(0, 5), to=st.sampled_from(CaseState), sends=st.booleans(), verdict=st.text(max_size=3))
    def record_result(self, which: int, to: CaseState, sends: bool, verdict: str) -> None:
        if not self.claims:
            return
        claim = self.claims[which % len(self.claims)]
        series = derived_series("fused", verdict)
        result = case_result(series, verdict=verdict)
        goes = to in {CaseState.ACCEPTED, CaseState.REVIEW, CaseState.REJECTED}
        holds = self.holds(claim)
        self.try_to(
            lambda: self.cases.record_result(claim, result, to, "c", [("pacs", series)] if sends else []),
            goes and holds,
            StaleClaimError if goes else IllegalTransitionError,
        )
        if goes and holds:
            self.first_results.setdefault(claim.case.case_id, result)

    @rule(which=st.integers(0, 5), later=st.booleans())
    def fail(self, which: int, later: bool) -> None:
        if self.claims:
            claim = self.claims[which % len(self.claims)]
            retry_at = self.now + timedelta(seconds=30) if later else None
            self.try_to(lambda: self.cases.fail(claim, "error", retry_at), self.holds(claim), StaleClaimError)

    @rule(number=numbers, sends=st.booleans())
    def approve(self, number: int, sends: bool) -> None:
        record = self.known(number)
        if record is not None:
            deliveries = [("pacs", series) for series in record.result.derived] if sends and record.result else []
            self.try_to(
                lambda: self.cases.approve(record.case_id, deliveries, "jane", "c"),
                record.state is CaseState.REVIEW,
                IllegalTransitionError,
            )

    @rule(number=numbers, to=st.sampled_from([CaseState.REJECTED, *sorted(GIVEN_UP)]))
    def end(self, number: int, to: CaseState) -> None:
        record = self.known(number)
        if record is not None:
            # A worker cannot be told by a person that its case is rejected; it says so itself.
            act = {CaseState.REJECTED: "reject", CaseState.WITHDRAWN: "withdraw", CaseState.REPLACED: "replace"}[to]
            self.try_to(
                lambda: getattr(self.cases, act)(record.case_id, actor="jane", cause="c"),
                to in TRANSITIONS[record.state] and (to, record.state) != (CaseState.REJECTED, CaseState.RUNNING),
                IllegalTransitionError,
            )

    @rule(number=numbers)
    def retry(self, number: int) -> None:
        record = self.known(number)
        if record is not None:
            failed = any(one.state is DeliveryState.FAILED for one in self.outbox.of_case(record.case_id))
            sending = record.state in {CaseState.DELIVERING, CaseState.REJECTED}
            by_a_person = record.state is not CaseState.RUNNING
            self.try_to(
                lambda: self.cases.retry(record.case_id, "jane", "c"),
                (sending and failed) or (CaseState.QUEUED in TRANSITIONS[record.state] and by_a_person),
                IllegalTransitionError,
            )

    @rule(answer=st.sampled_from(["taken", "to be confirmed", "confirmed", "lost", "down", "given up"]))
    def deliver(self, answer: str) -> None:
        for delivery in self.outbox.due(self.now) + self.outbox.overdue(self.now + timedelta(hours=1)):
            uid = f"2.25.{delivery.delivery_id}"
            match answer:
                case "taken":
                    self.outbox.sent(delivery.delivery_id, "", None)
                case "to be confirmed":
                    self.outbox.sent(delivery.delivery_id, uid, self.now)
                case "confirmed":
                    self.outbox.committed(uid, {})
                case "lost":
                    self.outbox.committed(uid, {"2.25.fused.1": "0x0112"}, self.now)
                case "down":
                    self.outbox.retry(delivery.delivery_id, "down", self.now + timedelta(seconds=30))
                case _:
                    self.outbox.retry(delivery.delivery_id, "given up", None)

    @invariant()
    def what_is_there_makes_sense(self) -> None:
        self.seen = self.look()
        for record, events, deliveries in zip(*self.seen, strict=True):
            follows_the_table(record, events)
            assert record.result == self.first_results.get(record.case_id), "the first result stays"
            assert all(record.result and one.series in record.result.derived for one in deliveries)
            arrived = all(one.state in ARRIVED for one in deliveries)
            assert record.state is not CaseState.DELIVERING or not arrived
            assert record.state is not CaseState.DELIVERED or arrived
            if record.state in GIVEN_UP:
                assert all(one.state is not DeliveryState.PENDING for one in deliveries)
        running = [record.patient_key for record in self.seen[0] if record.state is CaseState.RUNNING]
        assert len(running) == len(set(running)), "one case of a patient runs"


def follows_the_table(record: CaseRecord, events: Sequence[CaseEvent]) -> None:
    assert events[0].from_state is None
    assert events[-1].to_state is record.state
    for before, after in pairwise(events):
        assert after.from_state is before.to_state
    for event in events:
        revived = event.from_state is event.to_state and event.actor == "jane"
        assert revived or event.to_state in TRANSITIONS[event.from_state]


CasesAsTheyGo.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestCasesAsTheyGo = CasesAsTheyGo.TestCase


def test_the_table_is_the_picture_of_the_design() -> None:
    ways = {(start, end) for start, ends in TRANSITIONS.items() for end in ends}
    main_path = ["waiting", "queued", "running", "accepted", "delivering", "delivered"]
    for start, end in pairwise(main_path):
        assert (CaseState(start), CaseState(end)) in ways
    assert set(TRANSITIONS) == {None, *CaseState}
    assert {state for state in CaseState if not TRANSITIONS[state]} == {CaseState.REJECTED, *GIVEN_UP}
    # Nothing is delivered that was neither accepted nor approved by a person.
    assert {start for start, end in ways if end is CaseState.DELIVERING} == {CaseState.ACCEPTED, CaseState.REVIEW}
    assert {start for start, end in ways if end is CaseState.RUNNING} == {CaseState.QUEUED}
