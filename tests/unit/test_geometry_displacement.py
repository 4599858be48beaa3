"""Transforms that bend: what they do to points, how they are undone, and where they fold."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.errors import GeometryError
from fusion.geometry import DisplacementTransform, resample
from fusion.geometry.displacement import inverted, millimetre_vectors, pulled, sampled, then_field
from fusion.geometry.jacobian import corner_determinants, jacobian_map, jacobian_of_map, summary_of
from fusion.geometry.transform import AffineTransform
from fusion.geometry.unfolding import LEAST_DETERMINANT, unfolded
from fusion.volume import Grid
from tests.fixtures.displacements import bent, fading_field
from tests.fixtures.volumes import make_grid, make_volume, smooth_field, vectors

NODES = make_grid((12, 14, 13), (6.0, 6.0, 6.0), rotation_vector_rad=(0.2, -0.3, 0.1), centre_mm=(5, -8, 3))
MOVE = AffineTransform.rigid((0.1, 0.2, -0.1), (4.0, -3.0, 7.0))


def points_within(grid: Grid, count: int = 60) -> Any:
    share = np.random.default_rng(3).uniform(0, 1, (count, 3))
    return grid.points(share * (np.array(grid.shape) - 1))


def test_at_a_node_the_displacement_is_that_of_the_node_and_outside_there_is_none() -> None:
    transform = bent(NODES)
    index = np.array([[5.0, 6.0, 4.0]])
    there = NODES.points(index)
    np.testing.assert_allclose(transform(there) - there, transform.displacement[:, 5, 6, 4][None].numpy(), atol=1e-5)
    beyond = NODES.points(np.array([[-3.0, 6.0, 4.0], [5.0, 20.0, 4.0]]))
    np.testing.assert_array_equal(transform(beyond), beyond)


@settings(max_examples=20)
@given(st.integers(0, 1000), vectors(0.5), vectors(20.0))
def test_the_inverse_undoes_it(seed: int, turn: Any, shift: Any) -> None:
    transform = bent(NODES, largest_mm=3.0, after=AffineTransform.rigid(turn, shift), seed=seed)
    points = points_within(NODES)
    apart = np.linalg.norm(transform.inverse()(transform(points)) - points, axis=1)
    # Both fields are trilinear between nodes 6 mm apart, which the exact inverse is not.
    assert apart.mean() < 0.1
    assert apart.max() < 1.0


def test_the_inverse_is_exact_where_the_field_is_known_exactly() -> None:
    """At the nodes of the inverse, q + v(q) is sent back to q."""
    field = fading_field(NODES, largest_mm=8.0)
    back = inverted(field, NODES)
    forward = DisplacementTransform(field, NODES)
    index = np.stack(np.meshgrid(*(np.arange(2, n - 2) for n in NODES.shape), indexing="ij"), axis=-1).astype(float)
    nodes = NODES.points(index.reshape(-1, 3))
    moved = nodes + np.moveaxis(back.numpy(), 0, -1)[2:-2, 2:-2, 2:-2].reshape(-1, 3)
    np.testing.assert_allclose(forward(moved), nodes, atol=5e-3)


def test_two_fields_one_after_the_other_are_one() -> None:
    first, second = (fading_field(NODES, largest_mm=4.0, seed=seed) for seed in (1, 2))
    both = DisplacementTransform(then_field(first, second, NODES), NODES)
    nodes = NODES.points(np.array([[4.0, 5, 6], [7, 8, 3]]))
    one_by_one = DisplacementTransform(second, NODES)(DisplacementTransform(first, NODES)(nodes))
    np.testing.assert_allclose(both(nodes), one_by_one, atol=1e-4)


def test_both_samplers_agree() -> None:
    values = torch.randn((3, 5, 6, 7), generator=torch.Generator().manual_seed(1))
    indices = np.random.default_rng(1).uniform(0, (4, 5, 6), (50, 3))
    ours = pulled(values, torch.from_numpy(indices.T.astype(np.float32))).numpy().T
    np.testing.assert_allclose(ours, sampled(values.numpy(), indices), atol=1e-5)


@settings(max_examples=20)
@given(st.tuples(*[st.floats(0.6, 1.5)] * 3), vectors(0.2))
def test_the_jacobian_of_a_linear_field_is_its_determinant(scales: Any, turn: Any) -> None:
    linear = AffineTransform.rigid(turn, (0, 0, 0)).matrix[:3, :3] @ np.diag(scales)
    index = np.moveaxis(np.indices(NODES.shape), 0, -1).astype(np.float64)
    points = NODES.points(index)
    field = torch.from_numpy(np.moveaxis(points @ (linear - np.eye(3)).T, -1, 0).astype(np.float32)).contiguous()
    expected = float(np.linalg.det(linear))
    corners = corner_determinants(field, NODES)
    np.testing.assert_allclose(corners.numpy(), expected, rtol=1e-3)
    transform = DisplacementTransform(field, NODES, after=AffineTransform(np.diag([2.0, 1, 1, 1])))
    inner = NODES.points(np.array([[5.0, 6, 7]]))
    np.testing.assert_allclose(jacobian_of_map(transform, inner, NODES), 2 * expected, rtol=1e-3)


def test_a_mirror_is_seen_by_its_sign() -> None:
    mirror = AffineTransform(np.diag([-1.0, 1, 1, 1]))
    assert jacobian_of_map(mirror, points_within(NODES, 5), NODES) == pytest.approx([-1.0] * 5)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.floats(0.5, 40.0))
def test_an_unfolded_field_folds_nowhere_and_a_good_one_is_left_alone(seed: int, largest_mm: float) -> None:
    field = fading_field(NODES, largest_mm=largest_mm, sigma_voxels=1.0, seed=seed)
    before = float(corner_determinants(field, NODES).min())
    result, rounds = unfolded(field, NODES)
    after = summary_of(corner_determinants(result, NODES))
    assert after.smallest >= LEAST_DETERMINANT - 1e-6
    assert after.folded_share == 0
    if before >= LEAST_DETERMINANT:
        assert rounds == 0
        assert torch.equal(result, field)
    else:
        assert rounds > 0


def test_a_field_that_nothing_smooths_is_shortened() -> None:
    """All nodes swap sides: no smoothing within its reach helps."""
    index = np.moveaxis(np.indices(NODES.shape), 0, -1).astype(np.float64)
    points = NODES.points(index) - NODES.centre_mm
    field = torch.from_numpy(np.moveaxis(-2.0 * points, -1, 0).astype(np.float32)).contiguous()
    result, _ = unfolded(field, NODES)
    assert float(corner_determinants(result, NODES).min()) >= LEAST_DETERMINANT - 1e-6


def test_resampling_goes_through_the_field_once() -> None:
    """Against a function of the place that is known everywhere."""
    moving_grid = make_grid((40, 42, 44), (2.0, 2.0, 2.0))
    moving = make_volume(moving_grid, voxels=smooth_field(moving_grid))
    nodes = make_grid((11, 12, 12), (7.0, 7.0, 7.0))
    transform = bent(nodes, largest_mm=5.0, after=MOVE)
    onto = make_grid((10, 11, 12), (3.0, 3.0, 3.0), rotation_vector_rad=(0.1, 0.0, 0.2))
    moved = resample(moving, transform, onto, antialias=False)
    index = np.moveaxis(np.indices(onto.shape), 0, -1).astype(np.float64)
    x, y, z = np.moveaxis(transform(onto.points(index)), -1, 0)
    expected = np.sin(x / 9) + np.cos(y / 11) + np.sin(z / 13 + 1)
    assert moved.valid is not None
    inside = moved.valid.numpy()
    assert inside.mean() > 0.9
    assert np.abs(moved.voxels.numpy() - expected)[inside].max() < 0.02
    jacobian = jacobian_map(transform, onto)
    assert jacobian.shape == onto.shape
    assert float(jacobian.std()) > 0.01


def test_a_field_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(GeometryError, match="do not fill"):
        DisplacementTransform(torch.zeros((3, 2, 2, 2)), NODES)
    with pytest.raises(GeometryError, match="finite float32"):
        DisplacementTransform(torch.full((3, *NODES.shape), float("nan")), NODES)


def test_a_transform_that_bends_says_what_it_is() -> None:
    transform = bent(NODES, after=MOVE)
    assert not transform.is_rigid
    np.testing.assert_array_equal(transform.matrix, MOVE.matrix)
    assert transform.rotation_angle_deg == pytest.approx(MOVE.rotation_angle_deg)
    assert transform.to("cpu").digest_bytes() == transform.digest_bytes()
    units = millimetre_vectors(torch.ones((3, *NODES.shape)), NODES)
    assert float(units[:, 0, 0, 0].norm()) == pytest.approx(np.linalg.norm(NODES.affine[:3, :3].sum(axis=1)), rel=1e-5)
