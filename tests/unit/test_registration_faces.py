"""The last climb of a search leaves the samples at the faces of either field of view out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fusion.geometry.transform import AffineTransform
from fusion.registration.objective import Poses
from fusion.registration.preparation import prepare
from fusion.registration.search import FACE_MM, FINE, SPACINGS_MM, Frame, gaps_mm, search
from fusion.registration.starts import starts
from tests.fixtures.two_contrast_head import CT_HU, MR_T1, head
from tests.fixtures.volumes import make_grid

TURNED = AffineTransform.rigid((0.1, -0.2, 0.15), (12.0, -9.0, 7.0))


@pytest.fixture(scope="module")
def frame() -> Frame:
    """Both fields of view cut through the head, the moving one elsewhere."""
    fixed = head(CT_HU, modality="CT", grid=make_grid((30, 60, 50), (5.0, 4.0, 4.0)))
    moving = head(MR_T1, move=TURNED, grid=make_grid((30, 60, 40), (5.0, 4.0, 4.0), centre_mm=(12.0, -9.0, 7.0)))
    return Frame.of(prepare(fixed, SPACINGS_MM), prepare(moving, SPACINGS_MM), 0.3, 1)


def depth_mm(frame: Frame, pose: AffineTransform) -> NDArray[np.float64]:
    """(samples,): how far each lies within the nearer field of view; below 0 outside."""
    points = frame.points(FINE)
    depths = []
    for side, seen in ((frame.fixed, points), (frame.moving, pose(points))):
        grid = side.levels[FINE.level].grid
        indices = grid.indices(seen)
        last = np.array(grid.shape) - 1
        depths.append((np.minimum(indices, last - indices) * np.array(grid.spacing_mm)).min(axis=1))
    nearer: NDArray[np.float64] = np.minimum(*depths)
    return nearer


def test_exactly_what_is_near_a_face_is_left_out(frame: Frame) -> None:
    depth = depth_mm(frame, TURNED)
    kept = frame.inner_points(FINE, TURNED)
    assert 0.5 < (depth >= FACE_MM).mean() < 0.99, "some samples are near a face, most are not"
    np.testing.assert_array_equal(kept, frame.points(FINE)[depth >= FACE_MM])


def test_where_most_samples_lie_outside_none_is_left_out(frame: Frame) -> None:
    beside = AffineTransform.rigid((0.0, 0.0, 0.0), (150.0, 0.0, 0.0))
    assert (depth_mm(frame, beside) >= FACE_MM).mean() < 0.5
    np.testing.assert_array_equal(frame.inner_points(FINE, beside), frame.points(FINE))


def test_a_search_ends_where_the_inner_samples_agree_best(frame: Frame) -> None:
    found = search(frame, starts(frame.fixed, frame.moving, frame.centre_mm), climbing=4)
    best = found.poses[:1]
    again = frame.settle(best)
    assert float(gaps_mm(best, again.poses, frame.body_points)) < 0.05
    similarity, _ = frame.objective(FINE).value(best)
    assert float(found.similarity[0]) == float(similarity[0]), "comparable between searches: that of all samples"
    truth = Poses.of([TURNED], frame.centre_mm)
    assert float(gaps_mm(best, truth, frame.body_points)) < 2.5
