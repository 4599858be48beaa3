"""The compiled pass over the samples against the plain form of the same sums."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import fusion
from fusion.registration.objective import INDEPENDENT, Objective, Poses
from fusion.registration.preparation import Level
from fusion.registration.sampling import CellSampler
from fusion.similarity import fused_nmi
from fusion.volume import Grid

pytestmark = pytest.mark.skipif(not fused_nmi.AVAILABLE, reason="numba cannot be imported")


SHAPE = (14, 17, 19)


def both(
    seed: int, *, own_points: bool, unmeasured: bool, bins: int, far_mm: float = 3.0, samples: int = 700
) -> tuple[Objective, Objective, Poses]:
    """The compiled and the plain objective of two contrasts of one thing, and poses about where it lies."""
    generator = np.random.default_rng(seed)
    voxels = ndimage.gaussian_filter(generator.random(SHAPE), 1.0)
    voxels = ((voxels - voxels.min()) / np.ptp(voxels)).astype(np.float32)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 2.0], [0, -3.0, 0], [2.5, 0, 0]]) @ np.diag(generator.uniform(0.8, 1.2, 3))
    affine[:3, 3] = generator.uniform(-20, 20, 3)
    grid = Grid(SHAPE, affine)
    valid = torch.ones(SHAPE, dtype=torch.bool)
    if unmeasured:
        valid[: SHAPE[0] // 2, 3:5, ::4] = False
    fixed = Level(CellSampler.of(torch.from_numpy(voxels)), grid)
    moving = Level(CellSampler.of(torch.from_numpy(np.abs(voxels - np.float32(0.4))), valid), grid)
    poses = 3
    size = np.array(grid.size_mm)[[2, 1, 0]]
    points = grid.centre_mm + generator.uniform(-0.3, 0.3, (poses, samples, 3)) * size
    fused = Objective.at(points if own_points else points[0], grid.centre_mm, fixed, moving, bins=bins, min_inside=0.1)
    assert fused.fused
    start = Poses(
        torch.eye(3, dtype=torch.float64).repeat(poses, 1, 1),
        torch.from_numpy(grid.centre_mm + generator.normal(0, far_mm, (poses, 3))),
        torch.from_numpy(grid.centre_mm),
    ).turned(torch.from_numpy(generator.normal(0, far_mm / 20, (poses, 3))), torch.zeros(poses, 3, dtype=torch.float64))
    return fused, replace(fused, fused=False), start


@settings(max_examples=25)
@given(st.integers(0, 2**16), st.booleans(), st.booleans(), st.sampled_from([8, 16, 32]))
def test_values_and_gradients_are_those_of_the_plain_form(
    seed: int, own_points: bool, unmeasured: bool, bins: int
) -> None:
    fused, plain, poses = both(seed, own_points=own_points, unmeasured=unmeasured, bins=bins)
    value, share = fused.value(poses)
    expected, expected_share = plain.value(poses)
    assert float(share.min()) > 0.1, "the poses overlap"
    torch.testing.assert_close(share, expected_share, atol=2 / 700, rtol=0)
    same = share == expected_share  # a sample on the very border may fall to either side
    torch.testing.assert_close(value[same], expected[same], atol=1e-6, rtol=0)
    similarity, *slopes = fused.value_and_gradient(poses)
    torch.testing.assert_close(similarity, value, atol=1e-12, rtol=0)
    for slope, expected_slope in zip(slopes, plain.value_and_gradient(poses)[1:], strict=True):
        # The slope jumps where a sample passes from one cell or bin to the next: one of the 700 may be on either side.
        scale = float(expected_slope.abs().max())
        assert scale > 0
        torch.testing.assert_close(slope[same], expected_slope[same], atol=1e-2 * scale, rtol=0)


def test_of_many_samples_the_gradients_are_those_of_the_plain_form_to_four_digits() -> None:
    fused, plain, poses = both(11, own_points=False, unmeasured=True, bins=32, samples=40_000)
    for slope, expected in zip(fused.value_and_gradient(poses), plain.value_and_gradient(poses), strict=True):
        torch.testing.assert_close(slope, expected, atol=1e-4 * float(expected.abs().max()), rtol=0)


def test_gradients_are_differences_of_values() -> None:
    fused, _, poses = both(5, own_points=False, unmeasured=False, bins=8, far_mm=0.5)
    poses = poses[:1]
    _, moment, force = fused.value_and_gradient(poses)
    step = 0.02
    for axis in range(3):
        move = torch.zeros(1, 3, dtype=torch.float64)
        move[0, axis] = step
        still = torch.zeros_like(move)
        rise = [float(fused.value(poses.turned(still, sign * move))[0][0]) for sign in (1, -1)]
        assert (rise[0] - rise[1]) / (2 * step) == pytest.approx(float(force[0, axis]), abs=0.05 * float(force.norm()))
        linear = torch.eye(3, dtype=torch.float64).repeat(2, 1, 1)
        linear[:, 0, axis] += torch.tensor([1e-3, -1e-3])
        rise = [float(fused.value(poses.followed(m[None], still))[0][0]) for m in linear]
        assert (rise[0] - rise[1]) / 2e-3 == pytest.approx(float(moment[0, 0, axis]), abs=0.05 * float(moment.norm()))


def test_a_pose_with_too_little_inside_is_independent_and_has_no_slope() -> None:
    fused, _, poses = both(2, own_points=False, unmeasured=False, bins=16)
    away = Poses(poses.rotation, poses.translation_mm + 500.0, poses.centre_mm)
    value, moment, force = fused.value_and_gradient(away)
    assert value.tolist() == [INDEPENDENT] * 3
    assert not moment.any()
    assert not force.any()
    assert fused.value(away)[1].tolist() == [0.0] * 3


def test_the_same_question_has_the_same_bits() -> None:
    fused, _, poses = both(3, own_points=False, unmeasured=True, bins=32)
    for first, second in zip(fused.value_and_gradient(poses), fused.value_and_gradient(poses), strict=True):
        assert torch.equal(first, second)


FOLDERS_CLOSED = """
import numba.core.caching as caching
from fusion.similarity import fused_nmi  # compiled with a cache where there is one
def refuse(self):
    raise OSError("read-only")
for locator in caching.CacheImpl._locator_classes:
    locator.ensure_cache_path = refuse
assert fused_nmi.compiled(lambda x: x + 1)(2) == 3
"""


def test_nowhere_to_keep_the_machine_code_is_no_failure() -> None:
    folder = Path(fusion.__file__).parent.parent
    subprocess.run([sys.executable, "-W", "error", "-c", FOLDERS_CLOSED], cwd=folder, check=True, timeout=120)
