"""What the images cannot confirm is never accepted: noise, and uptake that lies elsewhere than its header says."""

import numpy as np
import pytest
import torch

from fusion import Grid, Registration, Unit, Verdict, Volume, assess, register
from fusion.quality import QualityReport
from tests.fixtures.blind_pairs import (
    as_volume,
    noise_volume,
    other_grid,
    painted,
    trunk_ct,
    trunk_grid,
    trunk_pet,
)

CT = trunk_ct()


def verified(moving: Volume) -> tuple[Registration, QualityReport]:
    found = register(CT, moving, identity_is_default=True)
    np.testing.assert_array_equal(found.transform.matrix, np.eye(4))
    return found, assess(CT, moving, found)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("smooth_voxels", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
@pytest.mark.parametrize("grid", [trunk_grid(), other_grid()], ids=["equal grid", "other grid"])
def test_noise_does_not_confirm_shared_coordinates(grid: Grid, modality: str, smooth_voxels: float, seed: int) -> None:
    noise = noise_volume(modality, smooth_voxels, grid, seed)
    _, report = verified(noise)
    assert report.verdict is not Verdict.ACCEPT, report.measures
    # Evidence alone is enough: neither a wide bound nor wandering samples have to help.
    assert any("placement" in reason and "cannot confirm the shared" in reason for reason in report.reasons)


@pytest.mark.parametrize("seed", range(1))
@pytest.mark.parametrize("smooth_voxels", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("modality", ["MR", "PT"])
def test_a_best_placement_of_noise_is_not_accepted(modality: str, smooth_voxels: float, seed: int) -> None:
    noise = noise_volume(modality, smooth_voxels, other_grid(), seed)
    assert assess(CT, noise, register(CT, noise, "rigid", climbing=16)).verdict is not Verdict.ACCEPT


@pytest.mark.parametrize("registrar", ["identity", "rigid"])
def test_noise_within_the_outline_of_the_body_is_not_accepted(registrar: str) -> None:
    values = np.random.default_rng(3).normal(300, 90, CT.grid.shape)
    moving = as_volume(np.where(painted(CT.grid, 1, 1, 1, 1, 0) > 0, values, 0), CT.grid, "MR", Unit.ARBITRARY)
    assert assess(CT, moving, register(CT, moving, registrar)).verdict is not Verdict.ACCEPT


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("noise", [0.1, 0.6, 2.0])
@pytest.mark.parametrize("shift_mm", [8.0, 12.0, 20.0])
def test_uptake_that_lies_elsewhere_is_not_accepted(shift_mm: float, noise: float, seed: int) -> None:
    _, report = verified(trunk_pet(shift_mm, noise, seed))
    assert report.verdict is not Verdict.ACCEPT, report.measures


@pytest.mark.parametrize("seed", range(3))
def test_uptake_that_lies_right_is_accepted(seed: int) -> None:
    _, report = verified(trunk_pet(0.0, 0.1, seed))
    assert report.verdict is Verdict.ACCEPT, (report.reasons, report.measures)
    assert report.measures["motion_mm"] < 1


@pytest.mark.parametrize("axis", [0, 1, 2], ids=["head and feet", "front and back", "left and right"])
def test_a_mirrored_image_is_not_accepted(axis: int) -> None:
    """Also where the trunk is almost the same on both sides."""
    pet = trunk_pet(0.0, 0.1, 0)
    _, report = verified(Volume(torch.flip(pet.voxels, (axis,)), pet.grid, pet.unit, pet.modality))
    assert report.verdict is not Verdict.ACCEPT
