"""The matching benchmark at size 1, and that it would notice."""

import pytest

from dicomnode.benchmark import matching
from dicomnode.benchmark.match_page import page
from dicomnode.benchmark.match_patients import OF_ONE, OF_TWO, pairs
from dicomnode.benchmark.match_studies import KINDS, studies
from dicomnode.commands.benchmarking_match import measure_matching
from dicomnode.match import Sameness
from dicomnode.match.identity import IdentityVerdict
from dicomnode.match.selection import CRITERIA
from storage.records import PatientIdentity
from tests.fixtures.command_line import Command


def test_what_is_to_be_reached_is_reached(dicomnode: Command) -> None:
    answer = dicomnode("benchmark", "match", "--json")
    assert answer.code == 0
    values = answer.values
    assert values["false_matches"] == 0
    assert values["found_or_quarantined"] >= 0.95
    assert values["without_reason"] == 0
    assert values["right"] >= 0.99
    assert values["explained"] == 1.0


def test_the_pairs_are_of_every_kind_and_the_same_for_a_seed() -> None:
    made = pairs(4000, seed=7)
    assert {pair.what for pair in made} == {*OF_ONE, *OF_TWO}
    assert sum(pair.one_person for pair in made) == 2000
    assert made == pairs(4000, seed=7)
    assert made != pairs(4000, seed=8)


def test_the_studies_are_of_every_kind_and_have_right_series() -> None:
    made = studies(80, seed=3)
    assert {study.what for study in made} == set(KINDS)
    assert all(study.right_fixed and study.right_moving for study in made)
    assert all(len(study.series) > len(study.right_fixed) + len(study.right_moving) for study in made)


def test_a_matcher_that_believes_the_id_alone_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def gullible(a: PatientIdentity, b: PatientIdentity) -> IdentityVerdict:
        same = a.patient_id.strip() == b.patient_id.strip() != ""
        return IdentityVerdict(Sameness.MATCH if same else Sameness.DIFFERENT, "the IDs")

    monkeypatch.setattr(matching, "same_patient", gullible)
    table = matching.measure_patients(1000, 1)
    assert table.false_matches > 100
    assert table.found_or_quarantined < 0.95


def test_a_choice_without_criteria_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomnode.match.selection.CRITERIA", CRITERIA[-1:])  # by the UID alone
    assert matching.measure_studies(30, 1).right.total() < 20


def test_the_page_says_what_was_measured() -> None:
    text = page(measure_matching(None, whole=False))
    assert "| two people held to be one | 0 | 0 |" in text
    assert all(f"| {what} |" in text for what in ("twins under one number", "two numbers, merged later", "PET/CT"))
