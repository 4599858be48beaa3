import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.errors import GeometryError
from fusion.geometry.transform import AffineTransform
from fusion.volume import Grid
from tests.fixtures.volumes import grids, make_grid, rigid_transforms, vectors

POINTS = np.array([[0, 0, 0], [100, -50, 30], [-321.5, 12.25, 700]], dtype=np.float64)


@given(rigid_transforms())
def test_transform_then_inverse_is_identity(transform: AffineTransform) -> None:
    np.testing.assert_allclose(transform.inverse()(transform(POINTS)), POINTS, atol=1e-8)
    np.testing.assert_allclose(transform.then(transform.inverse()).matrix, np.eye(4), atol=1e-9)


@given(rigid_transforms(), rigid_transforms(), rigid_transforms())
def test_then_is_associative_and_applies_in_order(a: AffineTransform, b: AffineTransform, c: AffineTransform) -> None:
    np.testing.assert_allclose(a.then(b).then(c).matrix, a.then(b.then(c)).matrix, atol=1e-8)
    np.testing.assert_allclose(a.then(b)(POINTS), b(a(POINTS)), atol=1e-8)


@given(rigid_transforms())
def test_a_rigid_transform_keeps_lengths(transform: AffineTransform) -> None:
    assert transform.is_rigid
    moved = transform(POINTS)
    np.testing.assert_allclose(np.linalg.norm(moved[1] - moved[0]), np.linalg.norm(POINTS[1] - POINTS[0]), atol=1e-8)


@given(st.floats(0.001, 3.1), vectors(50.0))
def test_rotation_angle_and_centre_are_those_asked_for(angle_rad: float, centre: tuple[float, float, float]) -> None:
    axis = np.array([1.0, 2.0, -2.0]) / 3
    transform = AffineTransform.rigid((angle_rad * axis).tolist(), (0, 0, 0), centre)
    assert transform.rotation_angle_deg == pytest.approx(np.degrees(angle_rad), abs=1e-4)
    np.testing.assert_allclose(transform(np.array(centre)), centre, atol=1e-9)


def test_a_mirror_and_a_shear_are_not_rigid() -> None:
    assert not AffineTransform(np.diag([-1.0, 1.0, 1.0, 1.0])).is_rigid
    assert not AffineTransform(np.diag([1.0, 1.001, 1.0, 1.0])).is_rigid


@pytest.mark.parametrize("matrix", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.eye(3)])
def test_unusable_matrices_are_refused(matrix: np.ndarray) -> None:
    with pytest.raises(GeometryError, match="4 x 4"):
        AffineTransform(matrix)


@given(grids())
def test_points_and_indices_of_a_grid_are_inverse(grid: Grid) -> None:
    indices = np.array([[0, 0, 0], [1.5, -2, 3.25], [grid.shape[0] - 1, 7, 0]], dtype=np.float64)
    np.testing.assert_allclose(grid.indices(grid.points(indices)), indices, atol=1e-9)
    np.testing.assert_allclose(np.prod(grid.spacing_mm), abs(np.linalg.det(grid.affine[:3, :3])), rtol=1e-9)


def test_index_order_is_slice_row_column_and_points_are_lps() -> None:
    grid = make_grid((5, 6, 7), (4.0, 2.0, 1.0))
    step = grid.points(np.eye(3)) - grid.points(np.zeros((1, 3)))
    np.testing.assert_allclose(step, [[0, 0, 4], [0, 2, 0], [1, 0, 0]])
    np.testing.assert_allclose(grid.centre_mm, 0, atol=1e-12)
    assert grid.size_mm == (20.0, 12.0, 7.0)


def test_same_geometry_tolerates_rounded_headers_only() -> None:
    grid = make_grid()
    nudged = grid.affine.copy()
    nudged[0, 3] += 5e-4
    assert grid.same_geometry(Grid(grid.shape, nudged, "1.2"))
    nudged[0, 3] += 5e-3
    assert not grid.same_geometry(Grid(grid.shape, nudged))
    assert not grid.same_geometry(make_grid((12, 16, 15)))


@pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.eye(3), np.full((4, 4), np.inf)])
def test_unusable_affines_are_refused(affine: np.ndarray) -> None:
    with pytest.raises(GeometryError, match="affine of a grid"):
        Grid((2, 2, 2), affine)
