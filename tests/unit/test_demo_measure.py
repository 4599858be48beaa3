"""What the demonstration says of a case: right only where the truth is known."""

from typing import Any

import pytest
from pydicom.dataset import Dataset

from dicomnode.demo.measure import TrueError, check_case
from storage.records import CaseRecord, CaseState, Recipe
from tests.fixtures.stored_records import NOON, case_result, derived_series, fusion_plan

DERIVED = derived_series()


def held() -> dict[str, list[Dataset]]:
    """What a PACS has when all of it arrived."""
    instances = []
    for stored in DERIVED.instances:
        instance = Dataset()
        instance.SOPInstanceUID = stored.sop_instance_uid
        instance.SeriesInstanceUID = DERIVED.series_instance_uid
        instance.StudyInstanceUID = DERIVED.study_instance_uid
        instances.append(instance)
    return {DERIVED.kind: instances}


def case(verdict: str = "accept", **changes: Any) -> CaseRecord:
    plan = fusion_plan(recipe=Recipe("default", outputs=(DERIVED.kind,)))
    values: dict[str, Any] = {"state": CaseState.DELIVERED, "result": case_result(DERIVED, verdict=verdict)}
    return CaseRecord("c", plan, patient_key="k", created_at=NOON, updated_at=NOON, **values | changes)


@pytest.mark.parametrize(("verdict", "outcome"), [("accept", "arrived"), ("review", "arrived, approved unseen")])
def test_a_real_case_is_never_called_right(verdict: str, outcome: str) -> None:
    check = check_case(case(verdict), held(), None, generated=False)
    assert (check.good, check.outcome, check.sentences) == (True, outcome, ())


def test_a_real_case_that_is_rejected_says_why() -> None:
    check = check_case(case("reject", state=CaseState.REJECTED), {}, None, generated=False)
    assert (check.good, check.outcome, check.sentences) == (True, "rejected", ("rejected: good",))


def test_a_real_case_of_which_something_is_missing_did_not_arrive() -> None:
    check = check_case(case(), {DERIVED.kind: held()[DERIVED.kind][:1]}, None, generated=False)
    assert (check.good, check.outcome) == (False, "did not arrive")
    assert check.sentences == ("fused_colour: 1 of 2 instances are at the PACS",)


@pytest.mark.parametrize(
    ("verdict", "truth", "outcome"),
    [
        ("accept", TrueError(0.1, 0.3), "right"),
        ("accept", TrueError(2.1, 2.3), "wrong"),
        ("accept", None, "wrong"),
        ("review", TrueError(0.1, 0.3), "wrong"),
    ],
)
def test_a_generated_case_is_right_when_accepted_and_accurate(
    verdict: str, truth: TrueError | None, outcome: str
) -> None:
    check = check_case(case(verdict), held(), truth, generated=True)
    assert (check.good, check.outcome) == (outcome == "right", outcome)


def test_a_case_without_a_result_is_not_good() -> None:
    check = check_case(case(result=None, state=CaseState.FAILED, error="no memory"), {}, None, generated=False)
    assert (check.good, check.outcome, check.sentences) == (False, "no result", ("no result: failed no memory",))
