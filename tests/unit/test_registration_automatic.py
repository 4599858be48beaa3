"""A weak search is followed by one wider search, and neither hides the other."""

from dataclasses import replace

import pytest

from fusion import Registration
from fusion.geometry.transform import AffineTransform
from fusion.registration.automatic import better_of, corrected, has_moved, is_weak
from tests.fixtures.two_contrast_head import CT_HU, head
from tests.fixtures.volumes import make_grid

FIXED = head(CT_HU, modality="CT", grid=make_grid((20, 30, 26), (10.0, 8.0, 8.0)))


def found(similarity: float, shift_mm: float = 0.0, **measures: float) -> Registration:
    transform = AffineTransform.rigid((0, 0, 0), (shift_mm, 0, 0))
    of_a_search = {"runner_up_ratio": 0.3, "runner_up_distance_mm": 90.0, "far_rival_ratio": 0.3, "overlap_ratio": 0.9}
    return Registration(
        transform, "rigid", {}, "likeness", similarity, 1.0, 2.0, 9, True, 1.5, "cpu", {**of_a_search, **measures}
    )


@pytest.mark.parametrize(
    ("registration", "weak"),
    [
        (found(1.2), False),
        (found(1.2, runner_up_ratio=0.9), True),
        (found(1.2, far_rival_ratio=0.9), True),
        (replace(found(1.2), error_bound_mm=9.0), True),
        (replace(found(1.2), converged=False), True),
    ],
)
def test_a_result_is_weak_by_each_of_its_signs(registration: Registration, weak: bool) -> None:
    assert is_weak(registration) is weak


@pytest.mark.parametrize(("first", "wide", "shift_mm"), [(1.10, 1.12, 40.0), (1.12, 1.10, 0.0)])
def test_the_more_alike_is_kept_and_the_other_is_its_runner_up(first: float, wide: float, shift_mm: float) -> None:
    kept = better_of(found(first), found(wide, 40.0), FIXED)
    assert kept.transform.matrix[0, 3] == shift_mm
    assert kept.measures["runner_up_ratio"] == pytest.approx(0.10 / 0.12)
    assert kept.measures["runner_up_distance_mm"] == pytest.approx(40.0)
    assert (kept.seconds, kept.notes) == (
        3.0,
        ("the first search was weak; a wider one from other samples ended 40.0 mm from it",),
    )


def test_a_placement_with_little_overlap_gives_way_however_alike() -> None:
    kept = better_of(found(1.10), found(1.14, 110.0, overlap_ratio=0.44), FIXED)
    assert kept.transform.matrix[0, 3] == 0.0
    assert kept.measures["runner_up_ratio"] > 1, "it is ambiguous all the same"


def test_two_searches_that_agree_have_no_runner_up_in_each_other() -> None:
    kept = better_of(found(1.10), found(1.11, 1.0), FIXED)
    assert kept.measures["runner_up_ratio"] == 0.3


def verified(motion_mm: float, known_to_mm: float) -> Registration:
    seen = {"motion_mm": motion_mm, "motion_uncertainty_mm": known_to_mm}
    return replace(found(1.05, **seen), registrar="identity", expected_error_mm=motion_mm)


@pytest.mark.parametrize(
    ("motion_mm", "known_to_mm", "moved"), [(8.0, 0.5, True), (8.0, 3.0, False), (2.0, 0.1, False), (0.0, 0.5, False)]
)
def test_motion_is_believed_where_it_is_large_and_sharply_seen(
    motion_mm: float, known_to_mm: float, moved: bool
) -> None:
    assert has_moved(verified(motion_mm, known_to_mm)) is moved


def test_shared_coordinates_are_corrected_where_a_search_agrees_and_the_measures_say_so() -> None:
    kept = corrected(verified(8.0, 0.5), found(1.2, 8.3), FIXED)
    assert kept.transform.matrix[0, 3] == 8.3
    assert kept.measures["header_corrected_mm"] == pytest.approx(8.3)
    assert kept.measures["motion_mm"] == 8.0
    assert kept.notes[-1] == "the shared coordinates were corrected by 8.3 mm"


@pytest.mark.parametrize(
    "search",
    [found(1.2, 20.0), replace(found(1.2, 8.3), error_bound_mm=5.5), found(1.2, 8.3, runner_up_ratio=0.9)],
    ids=["elsewhere", "too open", "ambiguous"],
)
def test_shared_coordinates_are_kept_where_the_evidence_is_not_clear(search: Registration) -> None:
    kept = corrected(verified(8.0, 0.5), search, FIXED)
    assert kept.transform.matrix[0, 3] == 0.0
    assert "header_corrected_mm" not in kept.measures
    assert kept.measures["motion_mm"] == 8.0
    assert "not clearly enough" in kept.notes[-1]
