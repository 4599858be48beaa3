"""Known moves of a generated head are found again; heads of another size or of another patient are not accepted."""

import numpy as np
import pytest
import torch

from fusion import Verdict, Volume, assess, register
from fusion.geometry.transform import AffineTransform
from tests.fixtures.two_contrast_head import CT_HU, MR_T1, head, mean_error_mm, reordered
from tests.fixtures.volumes import make_grid

CT = head(CT_HU, modality="CT", noise=0.01)


@pytest.mark.parametrize(
    ("turn_deg", "shift_mm", "verdict"),
    [
        pytest.param((12, -20, 25), (30.0, -25.0, 15.0), Verdict.ACCEPT, id="turned and shifted"),
        pytest.param((0, 0, 180), (10.0, 5.0, 0.0), Verdict.REVIEW, id="upside down on the couch"),
    ],
)
def test_a_known_move_is_recovered_across_contrasts(
    turn_deg: tuple[float, ...], shift_mm: tuple[float, ...], verdict: Verdict
) -> None:
    move = AffineTransform.rigid(np.radians(turn_deg).tolist(), shift_mm)
    moving = reordered(head(MR_T1, move=move, grid=make_grid((60, 80, 76), (4.0, 3.0, 3.0), centre_mm=shift_mm)))
    found = register(CT, moving, "rigid")
    error = mean_error_mm(found.transform.affine, move)
    assert error < 0.6
    assert error < found.error_bound_mm < 5
    report = assess(CT, moving, found)
    assert report.verdict is verdict, report.reasons
    if verdict is Verdict.REVIEW:
        assert report.reasons[0].startswith("header contradicted, check the side")


def test_a_slab_of_the_head_finds_its_place() -> None:
    move = AffineTransform.rigid((0.1, 0.0, -0.15), (8.0, -12.0, 20.0))
    slab = make_grid((18, 84, 70), (3.5, 3.0, 3.0), centre_mm=(8.0, -12.0, 30.0))
    moving = head(MR_T1, move=move, grid=slab)
    assert mean_error_mm(register(CT, moving, "rigid").transform.affine, move) < 1.5
    # The other way round the small image is the one that stays.
    assert mean_error_mm(register(moving, CT, "rigid").transform.affine, move.inverse()) < 1.5


def test_padding_and_missing_voxels_are_left_out() -> None:
    move = AffineTransform.rigid((0.0, 0.1, 0.1), (10.0, 0.0, 5.0))
    moving = head(MR_T1, move=move)
    voxels, valid = moving.voxels.clone(), torch.ones(moving.grid.shape, dtype=torch.bool)
    voxels[:14], valid[:14] = 30_000.0, False
    voxels[30, 40, 35] = float("nan")
    padded = Volume(voxels, moving.grid, moving.unit, moving.modality, valid)
    assert mean_error_mm(register(CT, padded, "rigid").transform.affine, move) < 1.0


def test_another_patients_head_is_not_accepted() -> None:
    other = head(MR_T1, seed=7, stretch=(1.05, 0.96, 1.02))
    report = assess(CT, other, register(CT, other, "rigid"))
    assert report.verdict is not Verdict.ACCEPT


def test_the_same_head_stretched_is_not_accepted() -> None:
    other = head(MR_T1, stretch=(1.05, 0.96, 1.02))
    report = assess(CT, other, register(CT, other, "rigid"))
    assert report.verdict is Verdict.REVIEW
    assert "one patient" in report.reasons[0]
