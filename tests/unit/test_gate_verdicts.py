"""What is accepted, what a person has to see, and what is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fusion import Limits, Registration, Verdict, Volume, assess, register
from fusion.geometry.transform import AffineTransform
from fusion.quality import rejected, unusable_reason
from tests.fixtures.blind_pairs import noise_volume, trunk_ct, trunk_grid
from tests.fixtures.two_contrast_head import CT_HU, MR_T1, head
from tests.fixtures.volumes import make_grid

CT = head(CT_HU, modality="CT", noise=0.01)
MR = head(MR_T1)

GOOD = Registration(
    AffineTransform.identity(),
    "rigid",
    {},
    "normalised mutual information",
    1.2,
    0.9,
    2.1,
    30,
    True,
    1.0,
    "cpu",
    {
        "overlap_ratio": 0.98,
        "header_rotation_deg": 8.0,
        "header_shift_mm": 12.0,
        "near_rival_ratio": 0.8,
        "near_rival_distance_mm": 5.0,
        "far_rival_ratio": 0.3,
        "flipped_rival_ratio": 0.5,
        "rivals_compared_ratio": 1.0,
        "mirror_ratio": 0.7,
        "mirror_margin_ratio": 60.0,
        "expected_error_high_mm": 1.6,
        "uptake_images_ratio": 0.0,
        "sample_spread_mm": 0.2,
        "stretch_mm": 0.3,
        "stretch_gain_ratio": 0.01,
        "start_spread_mm": 0.4,
        "runner_up_ratio": 0.3,
        "runner_up_distance_mm": 80.0,
    },
)
SEARCHED = ("start_spread_mm", "runner_up_ratio", "runner_up_distance_mm")
VERIFIED = replace(
    GOOD,
    registrar="identity",
    measures={k: v for k, v in GOOD.measures.items() if k not in SEARCHED}
    | {"motion_mm": 0.3, "motion_uncertainty_mm": 0.5},
)


def with_measures(**measures: float) -> Registration:
    base = VERIFIED if any(name.startswith("motion") for name in measures) else GOOD
    return replace(base, measures={**base.measures, **measures})


def test_a_good_registration_is_accepted_with_what_was_measured() -> None:
    report = assess(CT, MR, GOOD)
    assert report.verdict is Verdict.ACCEPT
    assert report.reasons == ("estimated mean error 0.9 mm (bound 2.1 mm); the best starts agree within 0.4 mm",)
    assert (report.expected_error_mm, report.error_bound_mm) == (0.9, 2.1)


@pytest.mark.parametrize(
    ("registration", "verdict", "reason"),
    [
        (replace(GOOD, expected_error_mm=2.6), Verdict.REVIEW, "estimated mean error of 2.6 mm is above"),
        (with_measures(expected_error_high_mm=2.6), Verdict.REVIEW, "mean error may be 2.6 mm (estimated 0.9 mm)"),
        (with_measures(mirror_ratio=1.03, mirror_margin_ratio=-20.0), Verdict.REJECT, "left and right are exchanged"),
        (with_measures(mirror_ratio=1.03, mirror_margin_ratio=-5.0), Verdict.REVIEW, "check the side and the patient"),
        (with_measures(mirror_ratio=1.0, mirror_margin_ratio=1.0), Verdict.REVIEW, "match 100 % as well"),
        (with_measures(mirror_ratio=0.9, mirror_margin_ratio=2.0), Verdict.REVIEW, "match 90 % as well"),
        (with_measures(voxel_mm=40.0), Verdict.REVIEW, "outside of what the estimate of the error was calibrated on"),
        (with_measures(body_radius_mm=900.0), Verdict.REVIEW, "body radius mm 900"),
        (
            with_measures(motion_mm=8.0, motion_uncertainty_mm=0.5, header_corrected_mm=8.1),
            Verdict.REVIEW,
            "the shared coordinates were corrected by 8.1 mm",
        ),
        (replace(GOOD, error_bound_mm=5.1), Verdict.REVIEW, "bound of the error, 5.1 mm"),
        (replace(GOOD, converged=False), Verdict.REVIEW, "not come to rest"),
        (with_measures(header_rotation_deg=46.0), Verdict.REVIEW, "header contradicted, check the side"),
        (with_measures(runner_up_ratio=0.9), Verdict.REVIEW, "ambiguous"),
        (with_measures(stretch_gain_ratio=0.2, stretch_mm=3.0), Verdict.REVIEW, "check that both are of one patient"),
        (with_measures(motion_mm=4.0, motion_uncertainty_mm=0.5), Verdict.REVIEW, "seems to have moved"),
        (with_measures(motion_mm=10.6, motion_uncertainty_mm=5.3), Verdict.REVIEW, "cannot confirm the shared coordin"),
        (with_measures(motion_mm=0.0, motion_uncertainty_mm=3.6), Verdict.REVIEW, "cannot confirm the shared coordin"),
        (with_measures(motion_mm=0.2, motion_uncertainty_mm=0.5, far_rival_ratio=1.2), Verdict.REVIEW, "shared coord"),
        (with_measures(near_rival_ratio=1.01), Verdict.REVIEW, "cannot confirm the placement that was found: a plac"),
        (with_measures(far_rival_ratio=0.9), Verdict.REVIEW, "placements 20 to 60 mm away match 90 % as well"),
        (
            with_measures(flipped_rival_ratio=1.1, motion_mm=0.1, motion_uncertainty_mm=1.0),
            Verdict.REVIEW,
            "check the side",
        ),
        (with_measures(rivals_compared_ratio=0.1), Verdict.REVIEW, "share too little"),
        (with_measures(sample_spread_mm=2.8), Verdict.REVIEW, "wanders by 2.8 mm"),
        (with_measures(overlap_ratio=0.4), Verdict.REJECT, "only 40 % of the body"),
        (replace(GOOD, measures={}), Verdict.REJECT, "only 0 % of the body"),
        (with_measures(header_shift_mm=9000.0), Verdict.REJECT, "diverged"),
        (with_measures(anything_mm=math.inf), Verdict.REJECT, "diverged"),
        (replace(GOOD, similarity=math.nan), Verdict.REJECT, "diverged"),
        (replace(GOOD, transform=AffineTransform(np.diag([1.3, 1, 1, 1]))), Verdict.REJECT, "diverged"),
    ],
)
def test_each_rule_objects_to_its_own_fault(registration: Registration, verdict: Verdict, reason: str) -> None:
    report = assess(CT, MR, registration)
    assert report.verdict is verdict
    assert reason in report.reasons[0]


@pytest.mark.parametrize(
    ("registration", "missing"),
    [(r, name) for r in (GOOD, VERIFIED) for name in r.measures],
    ids=lambda value: value.registrar if isinstance(value, Registration) else value,
)
def test_what_was_not_measured_is_not_trusted(registration: Registration, missing: str) -> None:
    measures = {name: value for name, value in registration.measures.items() if name != missing}
    assert assess(CT, MR, registration).verdict is Verdict.ACCEPT
    report = assess(CT, MR, replace(registration, measures=measures))
    assert report.verdict is not Verdict.ACCEPT
    assert any(missing in reason for reason in report.reasons)


def test_the_worst_verdict_decides_and_its_reason_comes_first() -> None:
    report = assess(CT, MR, with_measures(header_rotation_deg=180.0, overlap_ratio=0.1))
    assert report.verdict is Verdict.REJECT
    assert [("overlap" in r or "body is in both" in r) for r in report.reasons] == [True, False]


def test_limits_are_those_of_the_recipe() -> None:
    assert assess(CT, MR, GOOD, Limits(max_expected_error_mm=0.5)).verdict is Verdict.REVIEW
    assert assess(CT, MR, with_measures(overlap_ratio=0.4), Limits(min_overlap=0.3)).verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("voxels", "reason"),
    [
        (torch.zeros(20, 20, 20), "constant: every voxel is 0"),
        (torch.full((20, 20, 20), float("nan")), "empty"),
        (torch.rand(2, 20, 20), "only 2 voxels along one axis"),
        (
            torch.zeros(40, 40, 40)
            .index_fill(0, torch.tensor([0]), 0.0)
            .index_put_((torch.tensor(0),) * 3, torch.tensor(1.0)),
            "almost constant",
        ),
    ],
)
def test_an_unusable_volume_is_rejected_with_the_reason(voxels: torch.Tensor, reason: str) -> None:
    shape = (voxels.shape[0], voxels.shape[1], voxels.shape[2])
    volume = Volume(voxels, make_grid(shape))
    assert reason in (unusable_reason(volume) or "")
    report = assess(CT, volume, GOOD)
    assert report.verdict is Verdict.REJECT
    assert report.reasons[0].startswith("the moving image cannot be used")


def test_a_usable_volume_has_no_reason_and_a_rejection_needs_no_registration() -> None:
    assert unusable_reason(CT) is None
    report = rejected("the moving image is empty")
    assert (report.verdict, report.reasons) == (Verdict.REJECT, ("the moving image is empty",))


@pytest.mark.parametrize(("shift_mm", "verdict"), [(0.0, Verdict.ACCEPT), (5.0, Verdict.REVIEW)])
def test_motion_within_one_examination_is_seen(shift_mm: float, verdict: Verdict) -> None:
    moved = head(MR_T1, move=AffineTransform.rigid((0, 0, 0), (shift_mm, 0, 0)))
    report = assess(CT, moved, register(CT, moved, "identity"))
    assert report.verdict is verdict, report.reasons
    assert report.measures["motion_mm"] == pytest.approx(shift_mm, abs=0.5)


def test_noise_does_not_confirm_shared_coordinates() -> None:
    fixed, noise = trunk_ct(), noise_volume("PT", 0.0, trunk_grid(), seed=1)
    report = assess(fixed, noise, register(fixed, noise, "identity"))
    assert report.verdict is Verdict.REVIEW
    assert report.measures["far_rival_ratio"] > 1
    assert report.reasons[0].startswith("the images cannot confirm the shared coordinates")
