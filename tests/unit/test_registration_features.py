"""Keypoints, what they look like, what they agree on; and a pose that nothing carries is handed back as such."""

import numpy as np
import pytest
import torch

from fusion import Verdict, assess, register
from fusion.errors import ParameterError
from fusion.geometry.transform import AffineTransform
from fusion.registration.features import FeatureRegistrar
from fusion.registration.features.descriptors import oriented, principal_frames, upright
from fusion.registration.features.keypoints import Edges, cornerness, keypoints
from fusion.registration.features.matching import Matches, mutual
from fusion.registration.features.robust_fit import AGREE_MM, consensuses, fitted
from fusion.volume import Volume
from tests.fixtures.two_contrast_head import MR_T1, body_points, head, mean_error_mm
from tests.fixtures.volumes import make_grid

GRID = make_grid((48, 66, 56), (4.0, 3.5, 3.5))
MR_OTHER = (5.0, 100.0, 300.0, 80.0, 400.0, 250.0)


def edges_of(volume: Volume) -> Edges:
    return Edges.of(volume, body_points())


@pytest.mark.parametrize("turn_deg", [(8.0, -10.0, 12.0), (0.0, 5.0, 176.0)], ids=["turned", "the other way round"])
def test_a_known_move_is_found_across_contrasts_and_the_inliers_are_named(turn_deg: tuple[float, ...]) -> None:
    move = AffineTransform.rigid(np.radians(turn_deg).tolist(), (14.0, -9.0, 11.0))
    one, other = head(MR_T1, grid=GRID), head(MR_OTHER, grid=GRID, move=move)

    found = register(one, other, "features", points=500)

    assert isinstance(found.transform, AffineTransform)
    assert mean_error_mm(found.transform, move) < 1.0
    assert found.converged
    assert found.measures["inlier_support_ratio"] >= 1
    assert 0 < found.measures["inlier_ratio"] <= 1
    assert "matches of keypoints agree" in found.notes[0]


def test_without_refinement_the_keypoints_alone_decide() -> None:
    move = AffineTransform.rigid((0.1, -0.08, 0.05), (8.0, 6.0, -5.0))
    one, other = head(MR_T1, grid=GRID), head(MR_OTHER, grid=GRID, move=move)
    found = register(one, other, "features", refine=False, points=300)
    assert isinstance(found.transform, AffineTransform)
    assert mean_error_mm(found.transform, move) < 4.0
    assert found.measures["refinement_mm"] == pytest.approx(0, abs=1e-9)
    assert found.iterations == 0


def ball(seed: int) -> Volume:
    """A ball in noise, its surface soft: a body without a corner, and no two of them with the same voxels."""
    generator = np.random.default_rng(seed)
    centre = np.array([24.0, 33.0, 28.0]) + generator.uniform(-3, 3, 3)
    distance = np.linalg.norm(np.moveaxis(np.indices(GRID.shape), 0, -1) - centre, axis=-1)
    inside = np.clip((18 - distance) / 4 + 0.5, 0, 1)
    noise = generator.normal(0, 20, GRID.shape)
    return Volume(torch.from_numpy((300 * inside + noise).astype(np.float32)), GRID)


def test_where_too_few_keypoints_agree_the_result_says_so_and_is_not_accepted() -> None:
    one, other = ball(1), ball(2)
    found = register(one, other, "features", points=20)
    assert not found.converged
    assert found.expected_error_mm > 30
    assert found.error_bound_mm >= found.expected_error_mm
    assert "says nothing" in found.notes[0]
    assert assess(one, other, found).verdict is not Verdict.ACCEPT


def test_a_symmetric_body_that_many_keypoints_carry_in_more_than_one_way_is_not_called_converged() -> None:
    one, other = ball(1), ball(2)
    found = register(one, other, "features", points=300)
    assert found.measures["inlier_support_ratio"] > 1
    assert not found.converged
    assert found.error_bound_mm >= found.measures["runner_up_distance_mm"] > 30
    assert "does not say which is meant" in found.notes[1]
    assert assess(one, other, found).verdict is not Verdict.ACCEPT


def test_descriptors_survive_a_change_of_contrast_and_oriented_ones_a_turn() -> None:
    turn = AffineTransform.rigid((0.0, 0.0, np.radians(35)), (0.0, 0.0, 0.0))
    one = edges_of(head(MR_T1, grid=GRID, noise=0))
    other = edges_of(head(MR_OTHER, grid=GRID, noise=0))
    turned = edges_of(head(MR_T1, grid=GRID, noise=0, move=turn))
    points = keypoints(one, 40)
    apart = np.roll(points, 7, axis=0)

    same = (upright(one, points) * upright(other, points)).sum(axis=1)
    different = (upright(one, points) * upright(other, apart)).sum(axis=1)
    assert np.median(same) > 0.7
    assert np.median(same) > np.median(different) + 0.3

    described = oriented(one, points, every_turn=False)
    again = oriented(turned, turn(points), every_turn=True).reshape(4, len(points), -1)
    assert np.median((described * again).sum(axis=2).max(axis=0)) > 0.6


def test_frames_are_rotations_and_descriptors_have_length_one() -> None:
    edges = edges_of(head(MR_T1, grid=GRID))
    frames = principal_frames(edges, keypoints(edges, 30))
    np.testing.assert_allclose(frames @ np.swapaxes(frames, 1, 2), np.broadcast_to(np.eye(3), frames.shape), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(frames), 1)
    np.testing.assert_allclose(np.linalg.norm(upright(edges, body_points()[:50]), axis=1), 1, atol=1e-5)


def test_a_corner_has_three_directions_and_an_edge_has_none() -> None:
    corner = torch.tensor([1.0, 1.0, 1.0, 0, 0, 0]).reshape(6, 1)
    line = torch.tensor([1.0, 1.0, 0.0, 0, 0, 0]).reshape(6, 1)
    assert float(cornerness(corner)) == pytest.approx(1 / 3)
    assert float(cornerness(line)) == 0


def test_matches_are_mutual() -> None:
    likeness = np.array([[0.9, 0.1, 0.8], [0.95, 0.2, 0.1]], dtype=np.float32)
    fixed, moving = np.arange(6.0).reshape(2, 3), np.arange(9.0).reshape(3, 3)
    matches = mutual(likeness, fixed, moving)
    np.testing.assert_array_equal(matches.fixed, fixed[[1]])
    np.testing.assert_array_equal(matches.moving, moving[[0]])
    assert len(mutual(np.empty((0, 3), dtype=np.float32), np.empty((0, 3)), moving)) == 0


@pytest.mark.parametrize(("seed", "wrong"), [(1, 0), (2, 20), (3, 60)])
def test_a_motion_is_found_among_wrong_matches(seed: int, wrong: int) -> None:
    generator = np.random.default_rng(seed)
    truth = AffineTransform.rigid(generator.uniform(-2, 2, 3).tolist(), generator.uniform(-50, 50, 3).tolist())
    fixed = generator.uniform(-80, 80, (40 + wrong, 3))
    moving = truth(fixed) + generator.normal(0, 0.5, fixed.shape)
    moving[40:] = generator.uniform(-80, 80, (wrong, 3))
    matches = Matches(fixed, moving, np.ones(len(fixed)))
    best = consensuses(matches, 1, 6.0, 1)[0]
    assert best.inliers >= 40
    assert np.linalg.norm(best.transform(fixed) - truth(fixed), axis=1).mean() < AGREE_MM / 4
    assert best.transform.is_rigid


def test_the_fit_never_mirrors_and_takes_fewer_than_three_matches_for_none() -> None:
    points = np.random.default_rng(1).normal(size=(20, 3))
    assert fitted(points, points * (-1, 1, 1), np.ones(20)).is_rigid
    assert consensuses(Matches(points[:2], points[:2], np.ones(2)), 3, 6.0, 1) == []


def test_parameters_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ParameterError, match="points=3"):
        FeatureRegistrar(points=3)
