"""The scheduler on a real ledger: completing, matching, giving way, and taking up after a kill."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomnode.match import group_name
from dicomnode.scheduler import Scheduler
from dicomnode.settings import MatchingSettings, RuleSettings, Settings
from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.migrate import upgrade
from storage.records import CaseRecord, CaseState, InstanceRecord, SeriesState
from storage.session import Database
from tests.fixtures.series_records import ADA, MONDAY, RECEIVED, MadeSeries, ct, mr, pet

QUIET_S = 30.0
PETCT = RuleSettings(name="petct", fixed="CT", moving=("PT",))
CTMR = RuleSettings(name="ctmr", fixed="CT", moving=("MR",))
TRIPLE = RuleSettings(name="triple", fixed="CT", moving=("PT", "MR"))


@dataclass
class Node:
    """A scheduler on a ledger, with a clock that the test moves."""

    database: Database
    catalogue: Catalogue
    cases: Cases
    scheduler: Scheduler
    now: datetime = RECEIVED

    def receive(self, *instances: InstanceRecord) -> None:
        for instance in instances:
            self.now += timedelta(milliseconds=20)
            due_at = self.now + timedelta(seconds=QUIET_S)
            self.catalogue.add_instance(replace(instance, received_at=self.now), due_at)

    def wait(self, seconds: float = QUIET_S) -> None:
        self.now += timedelta(seconds=seconds)
        self.scheduler.run_once(self.now)

    def live(self) -> list[CaseRecord]:
        return [case for case in self.cases.list() if case.state is not CaseState.REPLACED]


def node_on(url: str, *rules: RuleSettings, **changes: Any) -> Node:
    database = Database(url)
    catalogue: Catalogue = changes.get("catalogue", Catalogue)(database)
    cases: Cases = changes.get("cases", Cases)(database)
    configured = Settings(rules=rules, matching=MatchingSettings(quiet_time_s=changes.get("quiet_time_s", QUIET_S)))
    return Node(database, catalogue, cases, Scheduler(configured, catalogue, cases))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "ledger.sqlite"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.dispose()
    return path


@contextmanager
def fresh_node(template: Path, *rules: RuleSettings, **changes: Any) -> Iterator[Node]:
    with TemporaryDirectory() as folder:
        shutil.copy(template, f"{folder}/ledger.sqlite")
        node = node_on(f"sqlite:///{folder}/ledger.sqlite", *rules, **changes)
        try:
            yield node
        finally:
            node.database.dispose()


@pytest.fixture
def node(template: Path) -> Iterator[Node]:
    with fresh_node(template, PETCT, CTMR) as made:
        yield made


def test_a_pair_is_queued_once_both_are_quiet(node: Node) -> None:
    node.receive(*ct(slices=5).instances)
    node.wait(QUIET_S - 1)
    assert node.catalogue.series("1.3.1").state is SeriesState.RECEIVING
    node.wait(1)
    assert node.catalogue.series("1.3.1").state is SeriesState.COMPLETE
    assert node.catalogue.series("1.3.1").evidence[-1] == "nothing came for 30 s"
    assert node.cases.list() == ()
    node.receive(*pet(slices=5).instances)
    node.wait()
    (case,) = node.cases.list()
    assert case.state is CaseState.QUEUED
    assert case.plan.series_instance_uids == ("1.3.1", "1.3.2")
    assert node.cases.events(case.case_id)[0].cause == "matched by rule 'petct'"
    node.wait()
    assert len(node.cases.list()) == 1


def test_a_short_series_gets_its_grace_and_a_note(node: Node) -> None:
    node.receive(*ct(slices=5, ImagesInAcquisition=6).instances)
    node.wait()
    assert node.catalogue.series("1.3.1").state is SeriesState.RECEIVING
    node.wait(2 * QUIET_S)
    series = node.catalogue.series("1.3.1")
    assert series.state is SeriesState.COMPLETE
    assert "only 5 of 6 instances (ImagesInAcquisition)" in series.evidence


def test_the_missing_slice_ends_the_grace(node: Node) -> None:
    *most, last = ct(slices=6, ImagesInAcquisition=6).instances
    node.receive(*most)
    node.wait()
    node.receive(last)
    node.wait()
    assert node.catalogue.series("1.3.1").state is SeriesState.COMPLETE


def test_late_slices_replace_the_case(node: Node) -> None:
    *most, last = pet(slices=6).instances
    node.receive(*ct(slices=5).instances, *most)
    node.wait()
    (early,) = node.cases.list()
    node.receive(last)
    assert node.catalogue.series("1.3.2").state is SeriesState.RECEIVING
    node.wait()
    assert node.cases.get(early.case_id).state is CaseState.REPLACED
    (late,) = node.live()
    assert len(late.plan.moving[0].sop_instance_uids) == 6


def test_what_a_person_had_run_otherwise_stays(node: Node) -> None:
    node.receive(*ct(slices=5).instances, *pet(slices=5).instances)
    node.wait()
    (case,) = node.cases.list()
    otherwise = replace(case.plan, recipe=replace(case.plan.recipe, registrar="rigid"))
    node.cases.open(otherwise, case.patient_key, CaseState.QUEUED, "rerun", "somebody")
    node.cases.replace(case.case_id, "rerun", "somebody", by=otherwise.key)
    node.catalogue.match_again()
    node.wait()
    assert [one.case_id for one in node.live()] == [otherwise.key]
    node.receive(*pet(slices=6).instances[5:])  # other inputs: what was asked for no longer fits
    node.wait()
    (newest,) = node.live()
    assert newest.case_id not in (case.case_id, otherwise.key)


def test_the_corrected_pet_replaces_the_uncorrected_one(node: Node) -> None:
    node.receive(*ct(slices=5).instances, *pet("1.3.8", slices=5, description="PET NAC").instances)
    node.wait()
    (nac,) = node.cases.list()
    node.receive(*pet(slices=5).instances)
    node.wait()
    assert node.cases.get(nac.case_id).state is CaseState.REPLACED
    assert node.cases.events(nac.case_id)[-1].cause == "other series or instances serve better now"
    (ac,) = node.live()
    assert ac.plan.moving[0].series_instance_uid == "1.3.2"
    assert any("not PT series" in reason and "NAC" in reason for reason in ac.plan.moving[0].reasons)


def test_a_worse_series_that_comes_later_changes_nothing(node: Node) -> None:
    node.receive(*ct(slices=5).instances, *pet(slices=5).instances)
    node.wait()
    (before,) = node.cases.list()
    node.receive(*pet("1.3.8", slices=5, description="PET NAC").instances)
    node.wait()
    assert node.cases.list() == (before,)


def test_a_better_partner_takes_over(node: Node) -> None:
    later = MONDAY + timedelta(days=2)
    node.receive(*ct(slices=5).instances, *pet(slices=5, study="1.2.7", acquired_at=later).instances)
    node.wait()
    (first,) = node.cases.list()
    node.receive(*ct("1.5.1", slices=5, study="1.2.7", acquired_at=later).instances)
    node.receive(*pet("1.5.2", slices=5).instances)
    node.wait()
    assert node.cases.get(first.case_id).state is CaseState.REPLACED
    assert {case.plan.series_instance_uids for case in node.live()} == {("1.3.1", "1.5.2"), ("1.5.1", "1.3.2")}


def test_a_doubtful_identity_is_quarantined(node: Node) -> None:
    stranger = replace(ADA, birth_date="19500505")
    node.receive(*ct(slices=5).instances, *pet(slices=5, study="1.2.2", patient=stranger).instances)
    node.wait()
    (case,) = node.cases.list()
    assert case.state is CaseState.QUARANTINED
    assert "birth date disagree" in node.cases.events(case.case_id)[0].cause


def test_a_series_that_contradicts_itself_is_quarantined(node: Node) -> None:
    *most, last = pet(slices=6).instances
    node.receive(*ct(slices=5).instances, *most, replace(last, patient=replace(ADA, name="BABBAGE^CHARLES")))
    node.wait()
    assert node.cases.list() == ()
    series = node.catalogue.series("1.3.2")
    assert (series.contradictions, series.held_for) == (("name",), ("its slices differ in name",))
    node.catalogue.quarantine.release("1.3.2", "Dr Who", "it is one patient")
    node.wait()
    (case,) = node.cases.list()
    assert case.state is CaseState.QUEUED


@pytest.mark.parametrize("first", [True, False])
def test_a_scout_in_the_series_changes_nothing(node: Node, first: bool) -> None:
    """Received first or last, it is no part of the plan and does not speak for the series."""
    slices = ct(slices=5, ImagesInAcquisition=5).instances
    header = replace(slices[0].series, attributes={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    scout = replace(
        slices[0],
        sop_instance_uid="1.3.1.999",
        stored=replace(slices[0].stored, digest="0" * 64),
        series=header,
        position=400.0,
        is_localiser=True,
    )
    node.receive(*((scout, *slices) if first else (*slices, scout)), *pet(slices=5).instances)
    node.wait()
    (case,) = node.cases.list()
    assert case.plan.fixed.sop_instance_uids == tuple(one.sop_instance_uid for one in slices)
    assert "all 5 of 5 instances (ImagesInAcquisition)" in node.catalogue.series("1.3.1").evidence
    assert "1 localiser left out" in node.catalogue.series("1.3.1").evidence


def test_own_outputs_are_never_matched(node: Node) -> None:
    node.receive(*ct(slices=5).instances, *pet(slices=5, own_output=True).instances)
    node.wait()
    assert node.cases.list() == ()


class Killed(BaseException):
    """The process ends here."""


class DiesBeforeMatching(Catalogue):
    def unmatched_series(self) -> Any:
        raise Killed


class DiesBeforeMarking(Catalogue):
    def mark_matched(self, series_instance_uid: str) -> None:  # noqa: ARG002
        raise Killed


class DiesBeforeOpening(Cases):
    def open(self, *_args: Any, **_named: Any) -> Any:
        raise Killed


class DiesBeforeReplacing(Cases):
    def replace(self, *_args: Any, **_named: Any) -> Any:
        raise Killed


@pytest.mark.parametrize(
    "death",
    [
        {"catalogue": DiesBeforeMatching},
        {"catalogue": DiesBeforeMarking},
        {"cases": DiesBeforeOpening},
        {"cases": DiesBeforeReplacing},
    ],
    ids=lambda death: next(iter(death.values())).__name__,
)
def test_killed_at_any_step_the_next_start_takes_up(template: Path, death: dict[str, Any], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    shutil.copy(template, tmp_path / "ledger.sqlite")
    node = node_on(url, PETCT)
    node.receive(*ct(slices=5).instances, *pet("1.3.8", slices=5, description="PET NAC").instances)
    node.wait()
    (nac,) = node.cases.list()
    node.receive(*pet(slices=5).instances)
    node.database.dispose()

    dying = node_on(url, PETCT, **death)
    dying.now = node.now
    with pytest.raises(Killed):
        dying.wait()
    assert dying.catalogue.series("1.3.2").state is SeriesState.COMPLETE
    dying.database.dispose()

    restarted = node_on(url, PETCT)
    restarted.now = dying.now
    restarted.wait(0)
    assert [case.plan.series_instance_uids for case in restarted.live()] == [("1.3.1", "1.3.2")]
    assert restarted.cases.get(nac.case_id).state is CaseState.REPLACED
    assert len(restarted.cases.list()) == 2
    assert restarted.catalogue.unmatched_series() == ()
    restarted.database.dispose()


class OneSeriesBreaks(Catalogue):
    def instances(self, series_instance_uid: str) -> tuple[InstanceRecord, ...]:
        if series_instance_uid == "1.3.9":
            raise ValueError("broken")
        return super().instances(series_instance_uid)


def test_a_series_that_cannot_be_judged_leaves_the_others_alone(template: Path) -> None:
    with fresh_node(template, PETCT, catalogue=OneSeriesBreaks) as node:
        node.receive(*ct("1.3.9", slices=5, study="1.2.4").instances)
        node.receive(*ct(slices=5).instances, *pet(slices=5).instances)
        node.wait()
        assert [case.plan.series_instance_uids for case in node.live()] == [("1.3.1", "1.3.2")]
        assert node.catalogue.series("1.3.9").state is SeriesState.RECEIVING


def test_the_timer_does_it_by_itself(template: Path) -> None:
    with fresh_node(template, PETCT, quiet_time_s=0.2) as node:
        node.now = datetime.now(MONDAY.tzinfo) - timedelta(minutes=5)
        node.receive(*ct(slices=5).instances, *pet(slices=5).instances)
        node.scheduler.start()
        node.scheduler.start()
        deadline = time.monotonic() + 10
        while not node.cases.list() and time.monotonic() < deadline:
            time.sleep(0.05)
        node.scheduler.stop()
        node.scheduler.stop()
        assert len(node.cases.list()) == 1


@pytest.mark.parametrize(
    "any_database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.pacs)], indirect=True
)
def test_it_runs_on_both_databases(any_database_url: str) -> None:
    node = node_on(any_database_url, PETCT)
    upgrade(node.database)
    node.receive(*ct(slices=5).instances, *pet(slices=5).instances)
    node.wait()
    assert len(node.cases.list()) == 1
    node.database.dispose()


def arrival(kind: Any, number: int, study: int, day: int, changes: dict[str, Any]) -> MadeSeries:
    given_ = {"study": f"1.2.{study}", "acquired_at": MONDAY + timedelta(days=day), "slices": 3}
    made: MadeSeries = kind(f"1.7.{number}", **(given_ | changes))
    return made


CHANGES = [
    {},
    {"description": "NAC"},
    {"slices": 4},
    {"slices": 2},
    {"patient": replace(ADA, birth_date="", name="")},
]
ARRIVALS = st.lists(
    st.tuples(
        st.sampled_from([ct, pet, mr]), st.integers(1, 3), st.integers(0, 5), st.sampled_from(CHANGES), st.booleans()
    ),
    min_size=2,
    max_size=6,
)


def outcome(template: Path, steps: list[list[InstanceRecord]]) -> set[tuple[Any, ...]]:
    """What is planned after `steps`, a round after each."""
    with fresh_node(template, PETCT, TRIPLE) as node:
        for step in steps:
            node.receive(*step)
            node.wait(3 * QUIET_S)
        live = node.live()
        names = [group_name(case.plan) for case in live]
        assert len(names) == len(set(names)), "two live cases of one group"
        return {(case.plan.key, case.plan.rule, case.plan.series_instance_uids, case.state) for case in live}


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(ARRIVALS, st.data())
def test_the_order_of_arrival_does_not_matter(template: Path, arrivals: list[Any], data: st.DataObject) -> None:
    made = [arrival(kind, n, study, day, changes) for n, (kind, study, day, changes, _) in enumerate(arrivals)]
    whole = [list(series.instances) for series in made]
    # The same series in another order, some of them in two parts.
    parts = [
        part
        for series, (*_, split) in zip(made, arrivals, strict=True)
        for part in ([series.instances[:-1], series.instances[-1:]] if split else [series.instances])
    ]
    shuffled = data.draw(st.permutations([list(part) for part in parts]))
    assert outcome(template, whole) == outcome(template, shuffled)


def test_another_id_under_which_all_else_agrees_is_put_up_for_a_person(template: Path) -> None:
    """A number typed wrong, or merged away: found by the birth date, and never fused by itself."""
    with fresh_node(template, PETCT) as node:
        node.receive(*ct(patient=replace(ADA, patient_id="4117"), study="1.2.8").instances, *pet().instances)
        node.wait()
        (case,) = node.live()
        assert case.state is CaseState.QUARANTINED
        assert "the patient IDs differ, but birth date and name agree" in node.cases.events(case.case_id)[0].cause


def test_two_namesakes_of_one_day_with_all_their_own_make_no_case_for_a_person(template: Path) -> None:
    """Whoever certainly is the patient comes first, in whatever order they come."""
    other = replace(ADA, patient_id="4117")
    theirs = ct("1.4.1", patient=other, study="1.4"), pet("1.4.2", patient=other, study="1.4")
    for arrivals in ((ct(), theirs[1], pet(), theirs[0]), (*theirs, ct(), pet())):
        with fresh_node(template, PETCT) as node:
            for one in arrivals:
                node.receive(*one.instances)
                node.wait()
            live = node.live()
            assert [case.state for case in live] == [CaseState.QUEUED, CaseState.QUEUED]
            assert {case.plan.series_instance_uids for case in live} == {("1.3.1", "1.3.2"), ("1.4.1", "1.4.2")}
