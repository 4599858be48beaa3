"""A ledger of an older release with cases in flight in every state: it migrates, works on, and goes back unharmed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import MetaData, Table, insert, select

from storage.cases import Cases
from storage.json_records import derived_series_to_json, plan_to_json, result_to_json
from storage.migrate import current_revision, downgrade, head_revision, upgrade
from storage.outbox import Outbox
from storage.records import CaseState, DeliveryState, DerivedSeries, FusionPlan
from storage.session import Database
from storage.transitions import GIVEN_UP
from tests.fixtures.stored_records import case_result, derived_series, fusion_plan

FIRST = "0001"
"""Release 0.1.0."""

THEN = datetime(2026, 1, 13, 10, tzinfo=UTC)
WITH_RESULT = frozenset(
    {CaseState.ACCEPTED, CaseState.REVIEW, CaseState.REJECTED, CaseState.DELIVERING, CaseState.DELIVERED} | GIVEN_UP
)
SENT = {
    CaseState.DELIVERING: DeliveryState.PENDING,
    CaseState.DELIVERED: DeliveryState.DONE,
    CaseState.WITHDRAWN: DeliveryState.FAILED,
    CaseState.REPLACED: DeliveryState.DONE,
}
TABLES = ("cases", "case_series", "case_events", "case_results", "deliveries", "derived_objects")


def plan_of(state: CaseState) -> FusionPlan:
    return fusion_plan(state.value)


def series_of(state: CaseState) -> DerivedSeries:
    return derived_series(state.value)


def table_of(database: Database, name: str) -> Table:
    """The table as it is there now, whatever the models say."""
    with database.connection() as connection:
        return Table(name, MetaData(), autoload_with=connection)


def enter_case(database: Database, state: CaseState) -> None:
    """A case in `state`, as the first release left it when it was stopped."""
    plan = plan_of(state)
    running = state is CaseState.RUNNING
    tables = {name: table_of(database, name) for name in TABLES}
    with database.connection() as connection:
        connection.execute(
            insert(tables["cases"]).values(
                case_id=plan.key,
                plan=plan_to_json(plan),
                state=state.value,
                patient_key=f"patient {state}",
                attempts=int(state not in (CaseState.QUEUED, CaseState.WAITING, CaseState.QUARANTINED)),
                error="no room" if state is CaseState.FAILED else "",
                not_before=None,
                worker="local-0" if running else "",
                lease_token="token" if running else "",
                lease_until=THEN + timedelta(seconds=60) if running else None,
                created_at=THEN,
                updated_at=THEN,
            )
        )
        connection.execute(
            insert(tables["case_events"]).values(
                case_id=plan.key, at=THEN, from_state=None, to_state=state.value, cause="matched", actor="scheduler"
            )
        )
        for uid in sorted(set(plan.series_instance_uids)):
            connection.execute(insert(tables["case_series"]).values(case_id=plan.key, series_instance_uid=uid))
        if state not in WITH_RESULT:
            return
        series = series_of(state)
        connection.execute(
            insert(tables["case_results"]).values(
                case_id=plan.key, result=result_to_json(case_result(series)), recorded_at=THEN
            )
        )
        for instance in series.instances:
            connection.execute(
                insert(tables["derived_objects"]).values(case_id=plan.key, digest=instance.stored.digest)
            )
        if state in SENT:
            connection.execute(
                insert(tables["deliveries"]).values(
                    case_id=plan.key,
                    destination="pacs",
                    series_instance_uid=series.series_instance_uid,
                    series=derived_series_to_json(series),
                    state=SENT[state].value,
                    attempts=1,
                    next_attempt_at=THEN if SENT[state] is DeliveryState.PENDING else None,
                    last_error="",
                    refused={},
                    commitment_uid="",
                    commitment_deadline=None,
                )
            )


def rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Everything about cases that the tables hold now."""
    tables = {name: table_of(database, name) for name in TABLES}
    with database.connection() as connection:
        return {
            name: sorted((dict(row) for row in connection.execute(select(table)).mappings()), key=str)
            for name, table in tables.items()
        }


@pytest.fixture(params=["the first release", "one step ago"])
def older(request: pytest.FixtureRequest, empty_database: Database) -> Database:
    """A ledger at an older revision with a case in every state, on every database."""
    if request.param == "the first release":
        upgrade(empty_database, FIRST)
    else:
        upgrade(empty_database)
        downgrade(empty_database, "-1")
    for state in CaseState:
        enter_case(empty_database, state)
    return empty_database


def test_cases_in_flight_go_on_after_an_upgrade(older: Database) -> None:
    upgrade(older)
    assert current_revision(older) == head_revision()
    cases, outbox = Cases(older), Outbox(older)
    now = datetime.now(UTC)

    for state in CaseState:
        case = cases.get(plan_of(state).key)
        assert (case.state, case.plan) == (state, plan_of(state))
        assert (case.result is not None) == (state in WITH_RESULT)
    claims = [cases.claim("new version", 60, now) for _ in range(3)]
    assert {claim.case.case_id for claim in claims if claim} == {
        plan_of(CaseState.QUEUED).key,
        plan_of(CaseState.RUNNING).key,  # its lease has lapsed with the old version
    }
    for claim in claims:
        if claim is not None:
            series = derived_series(f"made of {claim.case.case_id[:6]}")
            made = cases.record_result(claim, case_result(series), CaseState.ACCEPTED, "good", [("pacs", series)])
            assert made.state is CaseState.DELIVERING
    kept = series_of(CaseState.REVIEW)
    approved = cases.approve(plan_of(CaseState.REVIEW).key, [("pacs", kept)], "jane", "it fits")
    assert approved.state is CaseState.DELIVERING
    assert cases.retry(plan_of(CaseState.FAILED).key, "jane", "room was made").state is CaseState.QUEUED
    due = outbox.due(now + timedelta(hours=1), limit=100)
    assert len(due) == 4, "the one of the old version, two new ones, the approved one"
    for delivery in due:
        outbox.sent(delivery.delivery_id, "", None)
    for state in (CaseState.DELIVERING, CaseState.QUEUED, CaseState.RUNNING, CaseState.REVIEW):
        assert cases.get(plan_of(state).key).state is CaseState.DELIVERED
    withdrawn = cases.withdraw(plan_of(CaseState.DELIVERED).key, "jane", "wrong side")
    assert withdrawn.state is CaseState.WITHDRAWN


def test_up_and_down_again_loses_nothing_that_the_first_release_knew(empty_database: Database) -> None:
    upgrade(empty_database, FIRST)
    for state in CaseState:
        enter_case(empty_database, state)
    before = rows(empty_database)
    upgrade(empty_database)
    downgrade(empty_database, FIRST)
    assert current_revision(empty_database) == FIRST
    assert rows(empty_database) == before


def test_what_a_newer_version_decided_is_still_there_after_going_back(older: Database) -> None:
    upgrade(older)
    cases = Cases(older)
    claim = cases.claim("new version", 60, datetime.now(UTC))
    assert claim is not None
    series = derived_series("made by the new version")
    cases.record_result(claim, case_result(series), CaseState.ACCEPTED, "good", [("pacs", series)])
    downgrade(older, FIRST)

    kept = rows(older)
    (row,) = [row for row in kept["cases"] if row["case_id"] == claim.case.case_id]
    assert row["state"] == CaseState.DELIVERING
    assert series.series_instance_uid in {each["series_instance_uid"] for each in kept["deliveries"]}
    upgrade(older)
    assert cases.get(claim.case.case_id).result == case_result(series)
