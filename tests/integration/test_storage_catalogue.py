"""The catalogue over real databases: what is kept of what was received, and when a series is complete."""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.catalogue import Catalogue
from storage.errors import UnknownRecordError
from storage.migrate import upgrade
from storage.records import AddOutcome, InstanceRecord, PatientIdentity, SeriesState, StoredObject
from storage.session import Database
from tests.fixtures.stored_records import NOON, PATIENT, STUDY, digest_of, instance_record

QUIET = timedelta(seconds=30)


@pytest.fixture
def catalogue(database: Database) -> Catalogue:
    return Catalogue(database)


@pytest.fixture(scope="module")
def arrivals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One SQLite ledger for every example of a property."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('arrivals') / 'ledger.sqlite'}")
    upgrade(database)
    yield database
    database.dispose()


def add(catalogue: Catalogue, instance: InstanceRecord) -> AddOutcome:
    return catalogue.add_instance(instance, instance.received_at + QUIET)


def complete(catalogue: Catalogue, series_instance_uid: str) -> None:
    series = catalogue.series(series_instance_uid)
    assert catalogue.complete_series(series_instance_uid, ["quiet"], series.last_received_at)


def test_what_comes_back_is_what_was_entered(catalogue: Catalogue) -> None:
    instance = instance_record(1)
    assert add(catalogue, instance) is AddOutcome.NEW

    assert catalogue.instances("1.2.3.4") == (instance,)
    series = catalogue.series("1.2.3.4")
    assert (series.header, series.study, series.patient) == (instance.series, instance.study, instance.patient)
    assert (series.state, series.instance_count) == (SeriesState.RECEIVING, 1)
    assert series.first_received_at == series.last_received_at == instance.received_at
    assert series.due_at == instance.received_at + QUIET
    assert series.source_ae_title == "SCANNER"


def test_receiving_twice_is_receiving_once(catalogue: Catalogue) -> None:
    add(catalogue, instance_record(1))
    before = catalogue.series("1.2.3.4")
    again = instance_record(1, received_at=NOON + timedelta(hours=1), source_ae_title="OTHER")

    assert add(catalogue, again) is AddOutcome.DUPLICATE
    assert catalogue.series("1.2.3.4") == before
    assert catalogue.set_aside() == ()


def test_other_headers_are_a_version_and_other_pixels_a_conflict(catalogue: Catalogue) -> None:
    first = instance_record(1)
    add(catalogue, first)
    before = catalogue.series("1.2.3.4")
    version = replace(first, stored=StoredObject(digest_of("other header"), 7), source_ae_title="ARCHIVE")
    conflict = replace(version, stored=StoredObject(digest_of("other pixels"), 8), pixel_digest=digest_of("other"))

    assert add(catalogue, version) is AddOutcome.VERSION
    assert add(catalogue, conflict) is AddOutcome.CONFLICT
    assert add(catalogue, version) is AddOutcome.VERSION, "what is sent again is still not what is in use"
    assert add(catalogue, conflict) is AddOutcome.CONFLICT
    assert add(catalogue, first) is AddOutcome.DUPLICATE

    assert catalogue.instances("1.2.3.4") == (first,)
    assert catalogue.series("1.2.3.4") == before
    aside = catalogue.set_aside()
    assert [item.reason for item in aside] == [AddOutcome.VERSION, AddOutcome.CONFLICT]
    assert [item.stored for item in aside] == [version.stored, conflict.stored]
    assert {item.source_ae_title for item in aside} == {"ARCHIVE"}
    assert {item.series_instance_uid for item in aside} == {"1.2.3.4"}
    assert all(catalogue.holds(item.stored.digest) for item in (first, version, conflict))
    assert not catalogue.holds(digest_of("never seen"))


def test_an_instance_that_claims_another_series_leaves_no_empty_series(catalogue: Catalogue) -> None:
    first = instance_record(1)
    add(catalogue, first)
    elsewhere = replace(
        instance_record(1, "1.2.3.5"), sop_instance_uid=first.sop_instance_uid, stored=StoredObject(digest_of("x"), 1)
    )

    assert add(catalogue, elsewhere) is AddOutcome.CONFLICT
    with pytest.raises(UnknownRecordError):
        catalogue.series("1.2.3.5")


def test_instances_come_in_the_order_of_space(catalogue: Catalogue) -> None:
    for number, position in ((1, 30.0), (2, 10.0), (3, 20.0), (5, None), (4, None)):
        add(catalogue, instance_record(number, position=position))

    assert [instance.instance_number for instance in catalogue.instances("1.2.3.4")] == [2, 3, 1, 4, 5]


def test_what_slices_say_differently_is_noted_and_changes_nothing_else(catalogue: Catalogue) -> None:
    add(catalogue, instance_record(1))
    other_name = replace(PATIENT, name="Roe^Richard", sex="M")
    add(catalogue, instance_record(2, patient=other_name))
    add(catalogue, instance_record(3, study=replace(STUDY, study_instance_uid="1.2.99")))
    add(catalogue, instance_record(1, "1.2.3.5", patient=other_name))

    series = catalogue.series("1.2.3.4")
    assert (series.patient, series.study) == (PATIENT, STUDY)
    assert series.contradictions == ("name", "sex", "study")
    assert catalogue.series("1.2.3.5").patient == other_name
    assert catalogue.series("1.2.3.5").contradictions == ()


@pytest.mark.parametrize(
    "alike",
    [
        replace(PATIENT, name="DOE^JANE^^"),
        replace(PATIENT, name=" Doe^Jane =\u30c9\u30a6"),
        replace(PATIENT, name="", birth_date="", sex=""),
        replace(PATIENT, birth_date="1970.01.01", patient_id=" P-1 "),
        replace(PATIENT, patient_id="", issuer="ELSEWHERE"),
    ],
)
def test_spellings_and_gaps_contradict_nothing(catalogue: Catalogue, alike: PatientIdentity) -> None:
    for number, patient in enumerate((alike, PATIENT, alike), start=1):
        add(catalogue, instance_record(number, patient=patient))
    found = catalogue.series("1.2.3.4").contradictions
    assert found == (() if alike.patient_id else ("issuer of the patient ID",))


def scout(number: int, patient: PatientIdentity = PATIENT) -> InstanceRecord:
    made = instance_record(number, position=None, is_localiser=True, patient=patient)
    header = replace(
        made.series, acquired_at=NOON - timedelta(hours=1), attributes={"ImageType": ["X", "Y", "LOCALIZER"]}
    )
    return replace(made, series=header)


def test_a_series_of_localisers_alone_is_described_by_them(catalogue: Catalogue) -> None:
    add(catalogue, scout(1))
    add(catalogue, scout(2))
    series = catalogue.series("1.2.3.4")
    assert series.header.attributes["ImageType"] == ["X", "Y", "LOCALIZER"]
    assert (series.instance_count, series.localiser_count) == (2, 2)
    assert [one.is_localiser for one in catalogue.instances("1.2.3.4")] == [True, True]


UNNAMED = replace(PATIENT, name="", sex="")
OTHER = replace(PATIENT, patient_id="P-2", name="Roe^Richard")


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.lists(st.sampled_from([PATIENT, UNNAMED, OTHER]), min_size=3, max_size=3))
def test_a_series_is_the_same_whatever_order_it_came_in(
    arrivals: Database, data: st.DataObject, patients: list[PatientIdentity]
) -> None:
    catalogue = Catalogue(arrivals)
    stem = f"1.9.{uuid.uuid4().int % 10**12}"

    def described(uid: str, order: list[int]) -> tuple[object, ...]:
        made = [
            scout(1, OTHER),
            *(instance_record(n, patient=who) for n, who in enumerate(patients, start=1)),
            scout(9),
        ]
        for number in order:
            kind = "scout" if made[number].is_localiser else "slice"
            header = replace(made[number].series, series_instance_uid=uid, acquired_at=NOON + timedelta(seconds=number))
            add(catalogue, replace(made[number], sop_instance_uid=f"{uid}.{kind}.{number}", series=header))
        series = catalogue.series(uid)
        header = replace(series.header, series_instance_uid="")
        # Which of the contradicting values fills a gap of the first slice is chance; matching asks a person then.
        patient = series.patient.patient_id if series.contradictions else series.patient
        return header, patient, series.study, series.localiser_count, series.contradictions

    order = data.draw(st.permutations(range(5)))
    assert described(f"{stem}.1", [0, 1, 2, 3, 4]) == described(f"{stem}.2", order)


def test_each_instance_moves_the_end_of_quiet_time(catalogue: Catalogue) -> None:
    assert catalogue.next_due_at() is None
    add(catalogue, instance_record(1))
    add(catalogue, instance_record(1, "1.2.3.5", received_at=NOON))
    add(catalogue, instance_record(20))

    assert catalogue.next_due_at() == NOON + QUIET
    assert catalogue.due_series(NOON + timedelta(seconds=29)) == ()
    assert [s.series_instance_uid for s in catalogue.due_series(NOON + timedelta(seconds=31))] == ["1.2.3.5"]
    assert [s.series_instance_uid for s in catalogue.due_series(NOON + timedelta(seconds=50))] == ["1.2.3.5", "1.2.3.4"]


def test_a_series_is_not_complete_when_an_instance_came_while_it_was_looked_at(catalogue: Catalogue) -> None:
    add(catalogue, instance_record(2))
    seen = catalogue.series("1.2.3.4").last_received_at
    # Received earlier, entered later: the association was slow.
    add(catalogue, instance_record(1))

    assert not catalogue.complete_series("1.2.3.4", ["quiet"], seen)
    assert catalogue.series("1.2.3.4").state is SeriesState.RECEIVING
    complete(catalogue, "1.2.3.4")
    assert not catalogue.complete_series("1.2.3.4", ["again"], catalogue.series("1.2.3.4").last_received_at)
    assert catalogue.series("1.2.3.4").evidence == ("quiet",)
    assert catalogue.series("1.2.3.4").due_at is None


def test_a_late_slice_reopens_a_series_and_a_duplicate_does_not(catalogue: Catalogue) -> None:
    add(catalogue, instance_record(1))
    complete(catalogue, "1.2.3.4")
    catalogue.mark_matched("1.2.3.4")
    add(catalogue, instance_record(1))
    assert catalogue.series("1.2.3.4").state is SeriesState.COMPLETE

    add(catalogue, instance_record(2))
    series = catalogue.series("1.2.3.4")
    assert (series.state, series.evidence, series.instance_count) == (SeriesState.RECEIVING, (), 2)
    complete(catalogue, "1.2.3.4")
    assert [s.series_instance_uid for s in catalogue.unmatched_series()] == ["1.2.3.4"]


def test_matching_is_remembered(catalogue: Catalogue) -> None:
    add(catalogue, instance_record(1))
    assert catalogue.unmatched_series() == ()
    catalogue.mark_matched("1.2.3.4")  # still open: says nothing about the series as it will be
    complete(catalogue, "1.2.3.4")
    assert [s.series_instance_uid for s in catalogue.unmatched_series()] == ["1.2.3.4"]
    catalogue.mark_matched("1.2.3.4")
    assert catalogue.unmatched_series() == ()


def test_own_outputs_are_neither_matched_nor_candidates(catalogue: Catalogue) -> None:
    made_here = instance_record(1, "1.2.3.6")
    add(catalogue, replace(made_here, series=replace(made_here.series, own_output=True)))
    complete(catalogue, "1.2.3.6")

    assert catalogue.unmatched_series() == ()
    assert catalogue.series_of_patient_id("P-1") == ()
    assert catalogue.series("1.2.3.6").header.own_output


def test_candidates_share_the_id_whatever_the_issuer_and_are_complete(catalogue: Catalogue) -> None:
    add(catalogue, instance_record(1, "1.1"))
    elsewhere = replace(STUDY, study_instance_uid="1.2.4")
    clinic = replace(PATIENT, issuer="CLINIC", patient_id=" p-1")
    add(catalogue, instance_record(1, "1.2", patient=clinic, study=elsewhere))
    add(catalogue, instance_record(1, "1.3", patient=replace(PATIENT, patient_id="P-2")))
    add(catalogue, instance_record(1, "1.4"))
    add(catalogue, instance_record(1, "1.5", patient=replace(PATIENT, patient_id="")))
    for uid in ("1.1", "1.2", "1.3", "1.5"):
        complete(catalogue, uid)

    assert [s.series_instance_uid for s in catalogue.series_of_patient_id("P-1")] == ["1.1", "1.2"]
    assert catalogue.series_of_patient_id("") == ()


def test_the_newest_series_are_listed_first(catalogue: Catalogue) -> None:
    for number, uid in enumerate(("1.1", "1.2", "1.3")):
        add(catalogue, instance_record(number, uid))
    complete(catalogue, "1.2")

    assert [s.series_instance_uid for s in catalogue.list_series(limit=2)] == ["1.3", "1.2"]
    assert [s.series_instance_uid for s in catalogue.list_series(state=SeriesState.COMPLETE)] == ["1.2"]


def test_an_unknown_series_is_said_to_be(catalogue: Catalogue) -> None:
    for question in (catalogue.series, catalogue.instances):
        with pytest.raises(UnknownRecordError, match=r"1\.9\.9"):
            question("1.9.9")


def test_headers_with_padding_and_broken_characters_are_kept_on_every_database(catalogue: Catalogue) -> None:
    add(catalogue, instance_record(1, patient=replace(PATIENT, name="M\u00fcller^Zo\u00eb\x00", patient_id="7\x00")))
    broken = instance_record(1, "1.5")
    header = replace(broken.series, description="\udcff caf\u00e9", attributes={"SequenceName": "*fl3d\x00\udcff"})
    add(catalogue, replace(broken, series=header))
    complete(catalogue, "1.2.3.4")

    assert catalogue.series_of_patient_id("7")[0].patient.name == "M\u00fcller^Zo\u00eb"
    assert catalogue.series("1.5").header.description == " caf\u00e9"
    assert catalogue.series("1.5").header.attributes == {"SequenceName": "*fl3d\x00\udcff"}


def at_once(count: int, work: Callable[[int], AddOutcome]) -> list[AddOutcome]:
    start = threading.Barrier(count)

    def run(number: int) -> AddOutcome:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_many_associations_enter_the_first_instances_of_one_study_at_once(catalogue: Catalogue) -> None:
    outcomes = at_once(16, lambda n: add(catalogue, instance_record(n, f"1.2.3.{4 + n % 2}")))

    assert outcomes == [AddOutcome.NEW] * 16
    assert [catalogue.series(uid).instance_count for uid in ("1.2.3.4", "1.2.3.5")] == [8, 8]
    assert len(catalogue.instances("1.2.3.4")) == 8


def test_one_instance_sent_by_many_at_once_is_entered_once(catalogue: Catalogue) -> None:
    outcomes = at_once(12, lambda _n: add(catalogue, instance_record(1)))

    assert sorted(outcomes) == [AddOutcome.DUPLICATE] * 11 + [AddOutcome.NEW]
    assert catalogue.series("1.2.3.4").instance_count == 1


def test_of_different_bytes_under_one_name_at_once_one_is_in_use_and_nothing_is_lost(catalogue: Catalogue) -> None:
    different = [
        instance_record(1, stored=StoredObject(digest_of(f"bytes {n}"), n), pixel_digest=digest_of(f"pixels {n}"))
        for n in range(8)
    ]
    outcomes = at_once(8, lambda n: add(catalogue, different[n]))

    assert sorted(outcomes) == [AddOutcome.CONFLICT] * 7 + [AddOutcome.NEW]
    held = {i.stored for i in catalogue.instances("1.2.3.4")} | {i.stored for i in catalogue.set_aside()}
    assert held == {instance.stored for instance in different}
