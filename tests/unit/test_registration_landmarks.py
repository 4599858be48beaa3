"""A start from point pairs: the pose that they say, and what no pose follows from."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusion import ParameterError, register
from fusion.geometry.transform import AffineTransform
from fusion.registration.landmarks import distance_mm, points_of, pose_of, starts_near
from tests.fixtures.derived_case import grid, head

CORNERS = np.array([(0.0, 0, 0), (40, 0, 0), (0, 55, 0), (0, 0, 60)])
ANGLE = st.floats(-3.0, 3.0)


def pairs(transform: AffineTransform) -> list[list[list[float]]]:
    return [[point.tolist(), transform(point[None])[0].tolist()] for point in CORNERS]


@given(ANGLE, ANGLE, ANGLE, st.floats(-200, 200))
def test_the_pose_of_exact_pairs_is_exact(a: float, b: float, c: float, shift: float) -> None:
    truth = AffineTransform.rigid((a, b, c), (shift, -shift / 2, 3.0))
    found = pose_of(pairs(truth))
    assert np.allclose(found.matrix, truth.matrix, atol=1e-6)
    assert distance_mm(pairs(truth), found) < 1e-6


@pytest.mark.parametrize(
    "wrong",
    [
        [[[0, 0, 0], [0, 0, 0]]] * 2,
        [[[0, 0, 0], [0, 0, 0]]] * 3,
        [[[n, 0, 0], [n, 0, 0]] for n in (0, 30, 60, 90)],
        [[[0, 0], [0, 0]]] * 3,
        [[[0, 0, float("nan")], [0, 0, 0]]] * 3,
        "three points",
    ],
)
def test_no_pose_follows_from_these(wrong: object) -> None:
    with pytest.raises(ParameterError, match=r"landmarks|pairs"):
        points_of(wrong)  # type: ignore[arg-type]


def test_the_first_start_is_the_pose_itself() -> None:
    truth = AffineTransform.rigid((0.3, -0.2, 1.0), (5, 6, 7))
    (starts,) = starts_near(truth, np.array([10.0, 20.0, 30.0]))
    assert np.allclose(starts.transform(0).matrix, truth.matrix)
    assert len(torch.unique(starts.rotation, dim=0)) == len(starts)


def test_landmarks_lead_the_rigid_registrar() -> None:
    """Turned by 100 degrees and 60 mm away; the points are set within some millimetres."""
    truth = AffineTransform.rigid((0.0, 0.2, 1.75), (60.0, -20.0, 15.0))
    fixed = head("CT", grid((40, 44, 44), (5.0, 5.0, 5.0), "1.2.3"), AffineTransform.identity())
    moving = head("MR", grid((60, 60, 60), (5.0, 5.0, 5.0), "1.2.4"), truth)
    missed = np.random.default_rng(7).normal(0, 2.0, CORNERS.shape)
    marks = [[one.tolist(), (truth(one[None])[0] + miss).tolist()] for one, miss in zip(CORNERS, missed, strict=True)]
    found = register(fixed, moving, registrar="rigid", landmarks=marks)
    assert np.linalg.norm(found.transform(CORNERS) - truth(CORNERS), axis=1).max() < 3.0
    assert any("begun at 4 landmarks" in note for note in found.notes)
    assert found.parameters["landmarks"] == marks
