"""The outbox over real databases: nothing is lost on the way, and the case knows when the last one arrived."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from storage.cases import Cases
from storage.errors import UnknownRecordError
from storage.outbox import Outbox
from storage.records import CaseState, Delivery, DeliveryState
from storage.session import Database
from tests.fixtures.stored_records import case_result, derived_series, fusion_plan

SOON = timedelta(minutes=5)


@pytest.fixture
def cases(database: Database) -> Cases:
    return Cases(database)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database)


def now() -> datetime:
    return datetime.now(UTC)


def delivering(cases: Cases, *names: str, to: CaseState = CaseState.ACCEPTED) -> str:
    """A case with the series of these names on their way to the PACS."""
    series = [derived_series(name) for name in names]
    record, _ = cases.open(fusion_plan(), "k", CaseState.QUEUED, "matched", "scheduler")
    claim = cases.claim("worker", 60, now())
    assert claim is not None
    cases.record_result(claim, case_result(*series), to, "because", [("pacs", one) for one in series])
    return record.case_id


def only(outbox: Outbox, case_id: str) -> Delivery:
    (delivery,) = outbox.of_case(case_id)
    return delivery


def test_a_case_is_delivered_with_its_last_series(cases: Cases, outbox: Outbox) -> None:
    case_id = delivering(cases, "fused", "registered")
    first, second = outbox.due(now())

    outbox.sent(first.delivery_id, "", None)
    assert cases.get(case_id).state is CaseState.DELIVERING
    assert outbox.due(now()) == (second,)
    outbox.sent(second.delivery_id, "2.25.1", now() + SOON)
    assert cases.get(case_id).state is CaseState.DELIVERING
    committed = outbox.committed("2.25.1", {})

    assert committed is not None
    assert committed.state is DeliveryState.COMMITTED
    assert cases.get(case_id).state is CaseState.DELIVERED
    assert [delivery.state for delivery in outbox.of_case(case_id)] == [DeliveryState.DONE, DeliveryState.COMMITTED]
    assert outbox.committed("2.25.1", {}) == committed
    assert sum(event.to_state is CaseState.DELIVERED for event in cases.events(case_id)) == 1


def test_deliveries_that_finish_at_once_still_finish_the_case(cases: Cases, outbox: Outbox) -> None:
    case_id = delivering(cases, *(f"series{number}" for number in range(8)))
    deliveries = outbox.of_case(case_id)
    start = threading.Barrier(len(deliveries))

    def send(delivery: Delivery) -> None:
        start.wait()
        outbox.sent(delivery.delivery_id, "", None)

    with ThreadPoolExecutor(len(deliveries)) as pool:
        list(pool.map(send, deliveries))
    assert cases.get(case_id).state is CaseState.DELIVERED


def test_a_peer_that_is_down_is_tried_again_later(cases: Cases, outbox: Outbox) -> None:
    case_id = delivering(cases, "fused")
    at = now()
    outbox.retry(only(outbox, case_id).delivery_id, "connection refused", at + SOON)

    assert outbox.due(at) == ()
    (delivery,) = outbox.due(at + SOON)
    assert (delivery.attempts, delivery.last_error) == (1, "connection refused")
    outbox.sent(delivery.delivery_id, "", None)
    assert (only(outbox, case_id).attempts, only(outbox, case_id).last_error) == (2, "")
    assert cases.get(case_id).state is CaseState.DELIVERED


def test_a_refused_instance_is_remembered_until_it_is_taken(cases: Cases, outbox: Outbox) -> None:
    case_id = delivering(cases, "fused")
    at = now()
    outbox.refused(only(outbox, case_id).delivery_id, {"2.25.fused.1": "0xA900"}, "1 of 2 refused", at + SOON)
    (delivery,) = outbox.due(at + SOON)
    assert (delivery.refused, delivery.state) == ({"2.25.fused.1": "0xA900"}, DeliveryState.PENDING)

    outbox.refused(delivery.delivery_id, {"2.25.fused.1": "0xA900"}, "1 of 2 refused", None)
    assert only(outbox, case_id).state is DeliveryState.FAILED
    assert outbox.due(at + timedelta(days=1)) == ()
    assert cases.get(case_id).state is CaseState.DELIVERING

    cases.retry(case_id, "jane", "the archive was repaired")
    (delivery,) = outbox.due(now())
    assert (delivery.refused, delivery.attempts, delivery.last_error) == ({}, 0, "")
    assert cases.events(case_id)[-1].actor == "jane"
    outbox.sent(delivery.delivery_id, "", None)
    assert cases.get(case_id).state is CaseState.DELIVERED


def test_what_the_peer_lost_is_sent_again(cases: Cases, outbox: Outbox) -> None:
    case_id = delivering(cases, "fused")
    outbox.sent(only(outbox, case_id).delivery_id, "2.25.1", now() + SOON)
    answered = outbox.committed("2.25.1", {"2.25.fused.1": "0x0112"}, now())

    assert answered is not None
    assert (answered.state, answered.refused, answered.attempts) == (
        DeliveryState.PENDING,
        {"2.25.fused.1": "0x0112"},
        1,
    )
    assert cases.get(case_id).state is CaseState.DELIVERING
    (delivery,) = outbox.due(now())
    outbox.sent(delivery.delivery_id, "2.25.2", now() + SOON)
    assert outbox.committed("2.25.1", {}) is None, "the answer to an earlier request says nothing about this one"
    assert outbox.committed("2.25.2", {}) is not None
    assert cases.get(case_id).state is CaseState.DELIVERED


def test_a_commitment_that_does_not_come_is_overdue(cases: Cases, outbox: Outbox) -> None:
    case_id = delivering(cases, "fused")
    deadline = now() + SOON
    outbox.sent(only(outbox, case_id).delivery_id, "2.25.1", deadline)

    assert outbox.overdue(deadline - timedelta(seconds=1)) == ()
    (delivery,) = outbox.overdue(deadline)
    outbox.retry(delivery.delivery_id, "not confirmed in time", deadline)
    assert outbox.overdue(deadline + SOON) == ()
    assert [again.delivery_id for again in outbox.due(deadline)] == [delivery.delivery_id]


def test_an_answer_nobody_waits_for_is_nothing(cases: Cases, outbox: Outbox) -> None:
    case_id = delivering(cases, "fused")
    assert outbox.committed("2.25.404", {}) is None
    assert outbox.committed("", {}) is None
    assert only(outbox, case_id).state is DeliveryState.PENDING
    with pytest.raises(UnknownRecordError):
        outbox.sent(10_000, "", None)


def test_the_quality_page_of_a_rejected_case_is_sent_and_the_case_stays_rejected(cases: Cases, outbox: Outbox) -> None:
    case_id = delivering(cases, "quality", to=CaseState.REJECTED)
    outbox.sent(only(outbox, case_id).delivery_id, "", None)
    assert cases.get(case_id).state is CaseState.REJECTED


@pytest.mark.parametrize("commitment_uid", ["", "2.25.1"])
def test_what_was_on_the_wire_when_the_case_was_withdrawn_stays_ended_and_is_told(
    cases: Cases, outbox: Outbox, commitment_uid: str
) -> None:
    case_id = delivering(cases, "fused")
    (delivery,) = outbox.due(now())
    assert outbox.stands(delivery.delivery_id, DeliveryState.PENDING)
    cases.withdraw(case_id, "jane", "wrong patient")
    assert not outbox.stands(delivery.delivery_id, DeliveryState.PENDING)
    assert not outbox.sent(delivery.delivery_id, commitment_uid, now())

    ended = only(outbox, case_id)
    assert (ended.state, ended.attempts) == (DeliveryState.FAILED, 0)
    assert "had taken every instance" in ended.last_error
    assert outbox.overdue(now() + SOON) == ()
    assert cases.get(case_id).state is CaseState.WITHDRAWN


def test_nobody_asks_for_a_commitment_of_a_withdrawn_case(cases: Cases, outbox: Outbox) -> None:
    case_id = delivering(cases, "fused")
    (delivery,) = outbox.due(now())
    assert outbox.sent(delivery.delivery_id, "2.25.1", now())
    assert outbox.overdue(now() + SOON) != ()
    cases.withdraw(case_id, "jane", "wrong patient")
    assert outbox.overdue(now() + SOON) == ()
    assert not outbox.stands(delivery.delivery_id, DeliveryState.SENT)


@pytest.mark.parametrize("ended", ["done", "committed", "failed"])
def test_what_has_ended_stays_as_it_is(cases: Cases, outbox: Outbox, ended: str) -> None:
    case_id = delivering(cases, "fused")
    (delivery,) = outbox.due(now())
    if ended == "failed":
        outbox.retry(delivery.delivery_id, "enough", None)
    else:
        outbox.sent(delivery.delivery_id, "2.25.1" if ended == "committed" else "", now() + SOON)
        outbox.committed("2.25.1", {})
    before = only(outbox, case_id)
    assert before.state == ended

    assert not outbox.sent(delivery.delivery_id, "2.25.2", now() + SOON)
    outbox.refused(delivery.delivery_id, {"2.25.fused.1": "0xA700"}, "full", now())
    outbox.retry(delivery.delivery_id, "down", now())
    outbox.give_up(delivery.delivery_id, "enough")
    outbox.committed("2.25.1", {"2.25.fused.1": "0x0112"}, now())
    assert only(outbox, case_id) == before


def test_what_the_peer_never_holds_is_left_for_a_person(cases: Cases, outbox: Outbox) -> None:
    case_id = delivering(cases, "fused")
    delivery_id = only(outbox, case_id).delivery_id
    outbox.sent(delivery_id, "2.25.1", now() + SOON)
    assert outbox.asked("2.25.1") == only(outbox, case_id)
    assert outbox.asked("") is outbox.asked("2.25.2") is None
    answered = outbox.committed("2.25.1", {"2.25.fused.1": "0x0112"}, None)
    assert answered is not None
    assert (answered.state, answered.attempts) == (DeliveryState.FAILED, 1)
    assert cases.get(case_id).state is CaseState.DELIVERING


def test_giving_up_is_no_attempt(cases: Cases, outbox: Outbox) -> None:
    case_id = delivering(cases, "fused")
    outbox.give_up(only(outbox, case_id).delivery_id, "no such peer")
    ended = only(outbox, case_id)
    assert (ended.state, ended.attempts, ended.last_error) == (DeliveryState.FAILED, 0, "no such peer")


@pytest.mark.parametrize("answer", ["refused", "unreachable", "not held"])
def test_nothing_of_a_case_that_was_withdrawn_meanwhile_is_tried_again(
    cases: Cases, outbox: Outbox, answer: str
) -> None:
    case_id = delivering(cases, "fused")
    (delivery,) = outbox.due(now())
    if answer == "not held":
        outbox.sent(delivery.delivery_id, "2.25.1", now() + SOON)
    cases.withdraw(case_id, "jane", "wrong patient")
    if answer == "refused":
        outbox.refused(delivery.delivery_id, {"2.25.fused.1": "0xA700"}, "full", now())
    elif answer == "unreachable":
        outbox.retry(delivery.delivery_id, "connection reset", now())
    else:
        outbox.committed("2.25.1", {"2.25.fused.1": "0x0112"}, now())

    assert outbox.due(now() + SOON) == ()
    assert only(outbox, case_id).state is DeliveryState.FAILED


def test_what_failed_least_comes_first_and_few_come_at_a_time(cases: Cases, outbox: Outbox) -> None:
    case_id = delivering(cases, "a", "b", "c", "d")
    ids = first, second, third, fourth = [one.delivery_id for one in outbox.of_case(case_id)]
    assert [one.delivery_id for one in outbox.due(now())] == ids
    outbox.retry(first, "busy", now() - SOON)
    outbox.retry(first, "busy", now() - SOON)
    outbox.retry(second, "busy", now() + SOON)
    outbox.retry(third, "busy", now() - SOON)

    assert [one.delivery_id for one in outbox.due(now())] == [fourth, third, first]
    later = now() + SOON + SOON
    assert [one.delivery_id for one in outbox.due(later)] == [fourth, third, second, first]
    assert [one.delivery_id for one in outbox.due(later, limit=2)] == [fourth, third]
    assert outbox.due(later, skip={"pacs"}) == ()
    assert len(outbox.due(later, skip={"other"})) == 4


def test_what_was_asked_for_least_is_asked_for_first(cases: Cases, outbox: Outbox) -> None:
    case_id = delivering(cases, "a", "b", "c")
    first, second, third = [one.delivery_id for one in outbox.of_case(case_id)]
    outbox.sent(first, "2.25.1", now())
    outbox.sent(first, "2.25.2", now())
    outbox.sent(second, "2.25.3", now() + SOON)
    outbox.sent(third, "2.25.4", now())

    later = now() + SOON + SOON
    assert [one.delivery_id for one in outbox.overdue(later)] == [third, second, first]
    assert [one.delivery_id for one in outbox.overdue(later, limit=1)] == [third]
    assert outbox.overdue(later, skip={"pacs"}) == ()


def test_a_request_that_failed_is_no_attempt_of_its_own(cases: Cases, outbox: Outbox) -> None:
    case_id = delivering(cases, "fused")
    delivery_id = only(outbox, case_id).delivery_id
    outbox.sent(delivery_id, "2.25.1", now() + SOON)
    outbox.not_asked(delivery_id, "2.25.0", "of an earlier request")
    assert only(outbox, case_id).last_error == ""
    outbox.not_asked(delivery_id, "2.25.1", "refused")
    asked = only(outbox, case_id)
    assert (asked.state, asked.attempts, asked.last_error) == (DeliveryState.SENT, 1, "refused")
    assert len(outbox.overdue(now() + SOON)) == 1
