"""At a million instances a question takes milliseconds only while an index answers it: none reads a whole table."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.migrate import upgrade
from storage.outbox import Outbox
from storage.records import CaseState, SeriesState
from storage.session import Database
from tests.fixtures.stored_records import NOON, case_result, derived_series, fusion_plan, instance_record

LATER = NOON + timedelta(days=365_00)

Question = Callable[[Catalogue, Cases, Outbox], object]

QUESTIONS: dict[str, Question] = {
    "enter": lambda catalogue, _cases, _outbox: catalogue.add_instance(instance_record(7), NOON),
    "enter a series": lambda catalogue, _cases, _outbox: catalogue.add_instance(instance_record(1, "1.7"), NOON),
    "series": lambda catalogue, _cases, _outbox: catalogue.series("1.2.3.4"),
    "instances": lambda catalogue, _cases, _outbox: catalogue.instances("1.2.3.4"),
    "candidates": lambda catalogue, _cases, _outbox: catalogue.series_of_patient_id("P-1"),
    "due": lambda catalogue, _cases, _outbox: catalogue.due_series(LATER),
    "next due": lambda catalogue, _cases, _outbox: catalogue.next_due_at(),
    "complete": lambda catalogue, _cases, _outbox: catalogue.complete_series("1.2.3.4", [], LATER),
    "unmatched": lambda catalogue, _cases, _outbox: catalogue.unmatched_series(),
    "matched": lambda catalogue, _cases, _outbox: catalogue.mark_matched("1.2.3.4"),
    "newest": lambda catalogue, _cases, _outbox: catalogue.list_series(),
    "open ones": lambda catalogue, _cases, _outbox: catalogue.list_series(state=SeriesState.RECEIVING),
    "holds": lambda catalogue, _cases, _outbox: catalogue.holds("0" * 64),
    "needs": lambda _catalogue, cases, _outbox: cases.holds("0" * 64),
    "claim": lambda _catalogue, cases, _outbox: cases.claim("worker", 60, LATER),
    "case": lambda _catalogue, cases, _outbox: cases.get(fusion_plan().key[:8]),
    "cases": lambda _catalogue, cases, _outbox: cases.list(),
    "queued": lambda _catalogue, cases, _outbox: cases.list(states=[CaseState.QUEUED]),
    "of series": lambda _catalogue, cases, _outbox: cases.of_series("a.ct"),
    "events": lambda _catalogue, cases, _outbox: cases.events(fusion_plan().key),
    "deliveries": lambda _catalogue, _cases, outbox: outbox.due(LATER),
    "of case": lambda _catalogue, _cases, outbox: outbox.of_case(fusion_plan().key),
    "overdue": lambda _catalogue, _cases, outbox: outbox.overdue(LATER),
    "committed": lambda _catalogue, _cases, outbox: outbox.committed("2.25.1", {}),
}


@pytest.fixture
def filled(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    upgrade(database)
    Catalogue(database).add_instance(instance_record(1), NOON)
    cases = Cases(database)
    for name in "ab":
        cases.open(fusion_plan(name), name, CaseState.QUEUED, "matched", "scheduler")
    claim = cases.claim("worker", 60, LATER)
    assert claim is not None
    series = derived_series()
    cases.record_result(claim, case_result(series), CaseState.ACCEPTED, "accept", [("pacs", series)])
    yield database
    database.dispose()


def tables_read_whole(database: Database, statement: str, values: Any) -> list[str]:
    """The steps of SQLite's plan that go through a table without an index."""
    with database.reading() as session:
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    steps: list[str] = [row[3] for row in plan if row[3].startswith("SCAN ") and "INDEX" not in row[3]]
    return [step for step in steps if not step.startswith(("SCAN CONSTANT ROW", "SCAN (subquery"))]


def test_an_index_answers_every_question(filled: Database) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if statement.startswith(("SELECT", "UPDATE")):
            asked.append((statement, parameters))

    for name, question in QUESTIONS.items():
        asked.clear()
        event.listen(filled.engine, "before_cursor_execute", note)
        question(Catalogue(filled), Cases(filled), Outbox(filled))
        event.remove(filled.engine, "before_cursor_execute", note)
        assert asked, name
        for statement, values in asked:
            assert tables_read_whole(filled, statement, values) == [], f"{name}: {statement}"


def test_a_question_without_an_index_would_be_found(filled: Database) -> None:
    assert tables_read_whole(filled, "SELECT * FROM instances WHERE pixel_digest = ?", ("",))
