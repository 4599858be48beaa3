"""The compiled ascent against the plain one, and its arithmetic against SciPy's."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from fusion.geometry.transform import AffineTransform
from fusion.registration.ascent_cpu import exponential_of
from fusion.registration.objective import Objective, Poses
from fusion.registration.optimise import AFFINE, RIGID, Ascent, ascend
from fusion.registration.preparation import prepare
from fusion.registration.search import COARSE, MIDDLE, SPACINGS_MM, Frame, distinct, gaps_mm
from fusion.similarity import fused_nmi
from tests.fixtures.two_contrast_head import CT_HU, MR_T1, head
from tests.fixtures.volumes import make_grid

TURNED = AffineTransform.rigid((0.1, -0.2, 0.15), (12.0, -9.0, 7.0))


@pytest.fixture(scope="module")
def frame() -> Frame:
    fixed = head(CT_HU, modality="CT", grid=make_grid((30, 60, 50), (5.0, 4.0, 4.0)))
    moving = head(MR_T1, move=TURNED, grid=make_grid((30, 60, 40), (5.0, 4.0, 4.0), centre_mm=(12.0, -9.0, 7.0)))
    return Frame.of(prepare(fixed, SPACINGS_MM), prepare(moving, SPACINGS_MM), 0.3, 1)


def climbed(frame: Frame, objective: Objective, start: Poses, generators: torch.Tensor, steps: int = 80) -> Ascent:
    return ascend(
        objective,
        start,
        radius_mm=frame.radius_mm,
        first_step_mm=4.0,
        tolerance_mm=0.01,
        max_iterations=steps,
        generators=generators,
    )


def kicked(frame: Frame, count: int, mm: float) -> Poses:
    generator = np.random.default_rng(5)
    kicks = generator.normal(size=(count, 6)) * mm
    pose = Poses.of([TURNED] * count, frame.centre_mm)
    return pose.turned(torch.from_numpy(kicks[:, :3] / frame.radius_mm), torch.from_numpy(kicks[:, 3:]))


@pytest.mark.skipif(not fused_nmi.AVAILABLE, reason="numba cannot be imported")
@pytest.mark.parametrize("generators", [RIGID, AFFINE], ids=["rigid", "affine"])
@pytest.mark.parametrize("own_points", [False, True], ids=["shared", "own"])
def test_it_goes_the_way_of_the_plain_ascent(frame: Frame, generators: torch.Tensor, own_points: bool) -> None:
    points = frame.points(MIDDLE)
    sets = np.stack([points[k::3][: len(points) // 3] for k in range(3)]) if own_points else points
    objective, start = frame.objective(MIDDLE, sets), kicked(frame, 3, 1.5)
    begun = climbed(frame, objective, start, generators, steps=3)
    plain = climbed(frame, replace(objective, fused=False), start, generators, steps=3)
    assert begun.iterations == plain.iterations == 3
    assert float(gaps_mm(begun.poses, start, frame.body_points).diagonal().min()) > 0.5
    # A sample may fall into either of two cells, and every step builds on the ones before.
    assert float(gaps_mm(begun.poses, plain.poses, frame.body_points).diagonal().max()) < 0.1
    compiled = climbed(frame, objective, start, generators)
    plain = climbed(frame, replace(objective, fused=False), start, generators)
    torch.testing.assert_close(compiled.similarity, plain.similarity, atol=2e-3, rtol=0)
    assert bool(compiled.converged.all())
    assert bool((compiled.similarity > objective.value(start)[0]).all())
    torch.testing.assert_close(compiled.similarity, objective.value(compiled.poses)[0], atol=1e-7, rtol=0)
    assert float((compiled.poses.rotation[0] - start.rotation[0]).abs().max()) > 0, "the start itself is not moved"


@pytest.mark.skipif(not fused_nmi.AVAILABLE, reason="numba cannot be imported")
def test_a_pose_that_sees_nothing_stays(frame: Frame) -> None:
    pose = kicked(frame, 1, 0.0)
    away = Poses(pose.rotation, pose.translation_mm + 900.0, pose.centre_mm)
    for fused in (True, False):
        ended = climbed(frame, replace(frame.objective(COARSE), fused=fused), away, RIGID)
        assert ended.similarity.tolist() == [1.0]
        assert torch.equal(ended.poses.translation_mm, away.translation_mm)


@settings(max_examples=30)
@given(st.lists(st.floats(-3, 3), min_size=9, max_size=9))
def test_the_exponential_is_that_of_scipy(entries: list[float]) -> None:
    matrix = np.array(entries).reshape(3, 3)
    np.testing.assert_allclose(exponential_of(matrix), linalg.expm(matrix), rtol=1e-9, atol=1e-9)


def test_gaps_are_root_mean_squares_over_the_points(frame: Frame) -> None:
    some, others = kicked(frame, 3, 10.0), kicked(frame, 5, 30.0)
    others.rotation[4] *= 1.2
    points = frame.body_points[:40]
    gaps = gaps_mm(some, others, points)
    for a in range(3):
        for b in range(5):
            apart = some.transform(a)(points) - others.transform(b)(points)
            assert float(gaps[a, b]) == pytest.approx(float(np.sqrt((apart**2).sum(axis=1).mean())), rel=1e-6)


def test_of_near_poses_the_better_is_kept(frame: Frame) -> None:
    poses = kicked(frame, 1, 0.0)
    moved = [poses.turned(torch.zeros(1, 3).double(), torch.tensor([[mm, 0.0, 0.0]]).double()) for mm in (1.0, 20.0)]
    several = poses.joined(moved[0]).joined(moved[1])
    assert distinct(several, torch.tensor([1.1, 1.2, 1.05]), frame.body_points, 6.0, 3).tolist() == [1, 2]
