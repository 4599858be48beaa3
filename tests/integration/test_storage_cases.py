"""The ledger of cases over real databases: opening, results, people's decisions, and the log of it all."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, update

from storage.cases import TRANSITIONS, Cases
from storage.errors import IllegalTransitionError, StaleClaimError, UnknownRecordError
from storage.models import CaseEventRow, CaseRow, CaseSeriesRow
from storage.outbox import Outbox
from storage.records import CaseRecord, CaseState, Claim, DeliveryState
from storage.session import Database
from tests.fixtures.stored_records import case_result, derived_series, digest_of, fusion_plan

LEASE_S = 60.0


@pytest.fixture
def cases(database: Database) -> Cases:
    return Cases(database)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database)


def now() -> datetime:
    return datetime.now(UTC)


def opened(cases: Cases, name: str = "a", patient_key: str = "HOSPITAL|P-1") -> CaseRecord:
    record, is_new = cases.open(fusion_plan(name), patient_key, CaseState.QUEUED, "matched", "scheduler")
    assert is_new
    return record


def claimed(cases: Cases, at: datetime | None = None) -> Claim:
    claim = cases.claim("worker-1", LEASE_S, at or now())
    assert claim is not None
    return claim


def in_review(cases: Cases) -> CaseRecord:
    opened(cases)
    return cases.record_result(
        claimed(cases), case_result(derived_series(), verdict="review"), CaseState.REVIEW, "review: weak", []
    )


def test_a_plan_comes_back_as_it_was_opened(cases: Cases) -> None:
    record = opened(cases)

    assert record.case_id == record.plan.key
    assert (record.state, record.attempts, record.error, record.result) == (CaseState.QUEUED, 0, "", None)
    assert record.plan == fusion_plan("a")
    assert record.patient_key == "HOSPITAL|P-1"
    assert cases.get(record.case_id) == record
    assert abs(record.created_at - now()) < timedelta(minutes=1)


@pytest.mark.parametrize("ending", ["withdraw", "replace", "fail"])
def test_a_plan_that_was_seen_before_keeps_its_case(cases: Cases, ending: str) -> None:
    record = opened(cases)
    if ending == "fail":
        last = cases.fail(claimed(cases), "broken", None)
    else:
        last = getattr(cases, ending)(record.case_id, actor="jane", cause="because")
    events = cases.events(record.case_id)

    assert cases.open(fusion_plan("a"), "other", CaseState.QUARANTINED, "again", "x") == (last, False)
    assert cases.events(record.case_id) == events


def test_cases_begin_where_the_table_says(cases: Cases) -> None:
    for number, state in enumerate(sorted(CaseState)):
        plan = fusion_plan(f"p{number}")
        if state in TRANSITIONS[None]:
            assert cases.open(plan, "k", state, "c", "a")[0].state is state
        else:
            with pytest.raises(IllegalTransitionError):
                cases.open(plan, "k", state, "c", "a")
    assert len(cases.list()) == len(TRANSITIONS[None])


def test_a_few_characters_name_a_case(cases: Cases) -> None:
    first, second = opened(cases, "a"), opened(cases, "b")

    assert cases.get(first.case_id[:6]) == first
    assert cases.get(second.case_id[:12]) == second
    for wrong in (first.case_id[:5], "ffffff0", "%%%%%%", first.case_id + "0"):
        with pytest.raises(UnknownRecordError):
            cases.get(wrong)


def test_an_ambiguous_beginning_is_refused(cases: Cases, database: Database) -> None:
    records = [opened(cases, "a"), opened(cases, "b")]
    with database.session() as session:
        session.execute(delete(CaseEventRow))
        session.execute(delete(CaseSeriesRow))
        for number, record in enumerate(records):
            renamed = f"abcdef{number}" + "0" * 57
            session.execute(update(CaseRow).where(CaseRow.case_id == record.case_id).values(case_id=renamed))

    with pytest.raises(UnknownRecordError, match="several"):
        cases.get("abcdef")
    assert cases.get("abcdef1").plan == records[1].plan


def test_cases_are_counted_by_state(cases: Cases) -> None:
    opened(cases, "a")
    opened(cases, "b", "HOSPITAL|P-2")
    claimed(cases)
    assert (cases.count(CaseState.QUEUED), cases.count(CaseState.RUNNING), cases.count(CaseState.FAILED)) == (1, 1, 0)


def test_cases_are_found_by_series_and_by_state(cases: Cases) -> None:
    shared = fusion_plan("a").fixed
    first = opened(cases, "a")
    second, _ = cases.open(fusion_plan("b", fixed=shared), "k2", CaseState.QUARANTINED, "doubt", "scheduler")
    opened(cases, "c", "k3")

    assert cases.of_series(shared.series_instance_uid) == (second, first)
    assert cases.of_series("a.mr") == (first,)
    assert cases.of_series("nobody's") == ()
    assert cases.list(states=[CaseState.QUARANTINED]) == (second,)
    assert len(cases.list()) == 3
    assert len(cases.list(limit=2)) == 2


def test_an_accepted_result_sends_its_series_in_the_same_step(cases: Cases, outbox: Outbox) -> None:
    opened(cases)
    claim = claimed(cases)
    series = derived_series()
    record = cases.record_result(claim, case_result(series), CaseState.ACCEPTED, "accept", [("pacs", series)])

    assert record.state is CaseState.DELIVERING
    assert record.result == case_result(series)
    (delivery,) = outbox.due(now() + timedelta(seconds=1))
    assert (delivery.case_id, delivery.destination, delivery.series) == (record.case_id, "pacs", series)
    assert delivery.state is DeliveryState.PENDING
    path = [(event.from_state, event.to_state, event.actor) for event in cases.events(record.case_id)]
    assert path == [
        (None, CaseState.QUEUED, "scheduler"),
        (CaseState.QUEUED, CaseState.RUNNING, "worker-1"),
        (CaseState.RUNNING, CaseState.ACCEPTED, "worker-1"),
        (CaseState.ACCEPTED, CaseState.DELIVERING, "worker-1"),
    ]
    assert all(cases.holds(instance.stored.digest) for instance in series.instances)
    assert not cases.holds(digest_of("something else"))


@pytest.mark.parametrize(
    ("to", "sends", "state"),
    [
        (CaseState.ACCEPTED, False, CaseState.DELIVERED),
        (CaseState.REVIEW, False, CaseState.REVIEW),
        (CaseState.REVIEW, True, CaseState.DELIVERING),
        (CaseState.REJECTED, False, CaseState.REJECTED),
        (CaseState.REJECTED, True, CaseState.REJECTED),
    ],
)
def test_what_a_result_leads_to(cases: Cases, outbox: Outbox, to: CaseState, sends: bool, state: CaseState) -> None:
    opened(cases)
    series = derived_series()
    record = cases.record_result(
        claimed(cases), case_result(series), to, "because", [("pacs", series)] if sends else []
    )

    assert record.state is state
    assert len(outbox.of_case(record.case_id)) == sends


def test_a_result_leads_nowhere_else(cases: Cases) -> None:
    record = opened(cases)
    with pytest.raises(IllegalTransitionError):
        cases.record_result(claimed(cases), case_result(), CaseState.DELIVERED, "because", [])
    assert cases.get(record.case_id).result is None


def test_the_first_result_is_the_only_one_that_is_ever_sent(cases: Cases, outbox: Outbox) -> None:
    record = opened(cases)
    first, later = derived_series("fused", "first"), derived_series("fused", "on other hardware")
    more = derived_series("more")
    cases.record_result(claimed(cases), case_result(first), CaseState.ACCEPTED, "accept", [("pacs", first)])
    (delivery,) = outbox.of_case(record.case_id)
    outbox.sent(delivery.delivery_id, "", None)
    assert cases.get(record.case_id).state is CaseState.DELIVERED

    cases.retry(record.case_id, "jane", "the archive was restored from a backup")
    claim = claimed(cases)
    assert claim.case.result == case_result(first)
    again = cases.record_result(
        claim, case_result(later, more), CaseState.ACCEPTED, "accept", [("pacs", later), ("pacs", more)]
    )

    assert again.result == case_result(first)
    (delivery,) = outbox.of_case(record.case_id)
    assert (delivery.series, delivery.state) == (first, DeliveryState.PENDING)
    outbox.sent(delivery.delivery_id, "", None)
    assert cases.get(record.case_id).state is CaseState.DELIVERED


def test_a_person_approves_or_rejects(cases: Cases, outbox: Outbox) -> None:
    record = in_review(cases)
    approved = cases.approve(record.case_id[:8], [("pacs", derived_series())], "jane", "looked at it")
    assert approved.state is CaseState.DELIVERING
    assert len(outbox.of_case(record.case_id)) == 1
    assert cases.events(record.case_id)[-1].actor == "jane"
    with pytest.raises(IllegalTransitionError):
        cases.approve(record.case_id, [], "jane", "twice")
    with pytest.raises(IllegalTransitionError):
        cases.reject(record.case_id, "jane", "too late")


def test_approved_with_no_destination_is_delivered(cases: Cases) -> None:
    assert cases.approve(in_review(cases).case_id, [], "jane", "good").state is CaseState.DELIVERED


def test_rejected_ends(cases: Cases) -> None:
    record = in_review(cases)
    assert cases.reject(record.case_id, "jane", "wrong side").state is CaseState.REJECTED
    for act in (cases.retry, cases.withdraw, cases.reject):
        with pytest.raises(IllegalTransitionError):
            act(record.case_id, "jane", "again")


def test_only_a_case_in_review_can_be_approved(cases: Cases) -> None:
    opened(cases)
    claim = claimed(cases)
    with pytest.raises(IllegalTransitionError, match="review"):
        cases.approve(claim.case.case_id, [], "jane", "early")


def test_a_failure_is_tried_again_when_its_time_comes_and_then_left_for_a_person(cases: Cases) -> None:
    record = opened(cases)
    at = now()
    failed = cases.fail(claimed(cases, at), "out of memory", at + timedelta(seconds=30))
    assert (failed.state, failed.attempts, failed.error) == (CaseState.QUEUED, 1, "out of memory")
    assert cases.claim("worker-1", LEASE_S, at + timedelta(seconds=29)) is None

    second = claimed(cases, at + timedelta(seconds=30))
    assert second.case.attempts == 2
    failed = cases.fail(second, "still", None)
    assert (failed.state, failed.error) == (CaseState.FAILED, "still")
    assert cases.claim("worker-1", LEASE_S, at + timedelta(days=1)) is None

    retried = cases.retry(record.case_id, "jane", "more memory")
    assert (retried.state, retried.attempts, retried.error) == (CaseState.QUEUED, 0, "")
    assert claimed(cases).case.attempts == 1


def test_a_quarantined_case_waits_for_a_person(cases: Cases) -> None:
    record, _ = cases.open(fusion_plan(), "k", CaseState.QUARANTINED, "birth dates disagree", "scheduler")
    assert cases.claim("worker-1", LEASE_S, now()) is None
    assert cases.retry(record.case_id, "jane", "same person").state is CaseState.QUEUED
    assert claimed(cases).case.case_id == record.case_id


def test_a_case_that_gave_way_sends_nothing_more_and_its_worker_is_told(cases: Cases, outbox: Outbox) -> None:
    record = opened(cases)
    claim = claimed(cases)
    cases.replace(record.case_id, "late slices", "scheduler")
    with pytest.raises(StaleClaimError):
        cases.record_result(claim, case_result(), CaseState.ACCEPTED, "accept", [])
    with pytest.raises(StaleClaimError):
        cases.fail(claim, "error", None)
    assert not cases.renew(record.case_id, claim.token, LEASE_S, now())

    other = opened(cases, "b")
    series = derived_series()
    cases.record_result(claimed(cases), case_result(series), CaseState.ACCEPTED, "accept", [("pacs", series)])
    cases.withdraw(other.case_id, "jane", "wrong patient")
    assert outbox.due(now() + timedelta(days=1)) == ()
    assert cases.get(other.case_id).state is CaseState.WITHDRAWN


def test_unknown_cases_are_said_to_be(cases: Cases) -> None:
    for act in (cases.retry, cases.withdraw, cases.reject, cases.replace):
        with pytest.raises(UnknownRecordError):
            act("0" * 64, "jane", "because")
