"""The numbers that turn signs into millimetres, the map that shows them, and how they are fitted."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomnode.benchmark.calibrate import MOST_MM, SIGNS, calibrated, of_kind, quality
from fusion.geometry.transform import AffineTransform
from fusion.registration.calibration import CALIBRATION
from fusion.registration.error_map import error_map
from fusion.registration.preparation import prepare
from fusion.registration.witness import mean_mm, scatter_of, squared_mm
from tests.fixtures.two_contrast_head import CT_HU, head
from tests.fixtures.volumes import make_grid

BODY = prepare(head(CT_HU, modality="CT", grid=make_grid((24, 34, 28), (8.0, 7.0, 7.0))), ())
MILLIMETRES = st.floats(0, 30)


@given(
    st.lists(MILLIMETRES, min_size=len(SIGNS), max_size=len(SIGNS)), st.integers(0, 7), MILLIMETRES, st.integers(0, 2)
)
def test_a_sign_that_grows_makes_nothing_smaller(signs: list[float], which: int, more: float, uptake: int) -> None:
    names = [f"{name}_mm" for name in SIGNS]
    before = CALIBRATION.estimate(dict(zip(names, signs, strict=True)), uptake)
    grown = [value + more * (k == which) for k, value in enumerate(signs)]
    after = CALIBRATION.estimate(dict(zip(names, grown, strict=True)), uptake)
    assert after.expected_mm >= before.expected_mm
    assert after.bound_mm >= before.bound_mm
    assert 0 < after.low_mm <= after.expected_mm <= after.high_mm <= after.bound_mm


def test_uptake_is_never_claimed_to_be_as_sure_as_anatomy() -> None:
    still: Mapping[str, float] = {f"{name}_mm": 0.0 for name in SIGNS}
    anatomy, uptake = (CALIBRATION.estimate(still, n).expected_mm for n in (0, 1))
    assert anatomy < 1 < uptake
    assert CALIBRATION.estimate(still, 2).expected_mm == uptake


def test_the_scatter_of_witnesses_is_their_distance_everywhere() -> None:
    result = AffineTransform.rigid((0.1, 0.0, -0.2), (3.0, -2.0, 1.0))
    seen = [AffineTransform.rigid((0.1, 0.02, -0.2), (4.0, -2.0, 1.0)), AffineTransform(np.diag([1.1, 1.0, 0.9, 1.0]))]
    points = BODY.body_points[::50]
    expected = np.mean([np.sum((other(points) - result(points)) ** 2, axis=1) for other in seen], axis=0)
    scatter = scatter_of(result, seen)
    assert squared_mm(scatter, points) == pytest.approx(expected)
    assert mean_mm(scatter, points) == pytest.approx(float(np.sqrt(expected.mean())))


def test_the_map_has_the_expected_error_as_its_mean_and_is_worst_where_the_witnesses_disagree() -> None:
    signs = {f"{name}_mm": 1.0 for name in SIGNS}
    estimate = CALIBRATION.estimate(signs, 0)
    nodding = AffineTransform.rigid((0.05, 0.0, 0.0), (0.0, 0.0, 0.0), BODY.body_points.mean(axis=0).tolist())
    scatters = {name: scatter_of(AffineTransform.identity(), [nodding]) for name in SIGNS}
    image, p95 = error_map(BODY, AffineTransform.identity(), estimate, scatters)
    assert image.valid is not None
    inside = image.voxels[image.valid].numpy()
    assert inside.mean() == pytest.approx(estimate.expected_mm, rel=1e-4)
    assert np.percentile(inside, 95) == pytest.approx(p95, rel=1e-4)
    assert float(image.voxels[~image.valid].abs().max()) == 0
    points = BODY.body_grid.points(np.argwhere(image.valid.numpy()).astype(float)) - BODY.body_points.mean(axis=0)
    from_axis = np.linalg.norm(points[:, 1:], axis=1)
    assert np.corrcoef(from_axis, inside)[0, 1] > 0.95


def generated_rows() -> list[dict[str, object]]:
    """Runs in which the error is the root of 0.16 and of four times the square of one sign, within a tenth."""
    generator = np.random.default_rng(5)
    rows = []
    for k in range(240):
        signs = {f"{name}_mm": float(generator.uniform(0, 3)) for name in SIGNS}
        error = float(np.sqrt(0.16 + 4 * signs["half_spread_mm"] ** 2) * generator.uniform(0.9, 1.1))
        row = {
            "key": str(k),
            "pair": str(k % 8),
            "uptake_images_ratio": 0.0,
            "near_rival_ratio": 0.9,
            "far_rival_ratio": 0.3,
            "rivals_compared_ratio": 1.0,
            "error_mm": error,
            **signs,
        }
        rows.append(row | {"error_p95_mm": 1.5 * error})
    return rows


def test_the_fit_finds_the_sign_that_tells_and_covers_pairs_that_it_has_not_seen() -> None:
    seen = of_kind(generated_rows(), "anatomy")
    numbers, of_runs = calibrated(seen)
    weights = numbers["weights"]
    assert weights["half_spread"] == pytest.approx(4, rel=0.15)
    assert sum(weights.values()) - weights["half_spread"] < 0.3
    assert numbers["floor_mm"] < 0.8
    said = quality(seen, of_runs)
    assert said["within 30 % above 0.5 mm"] > 0.95
    assert said["below the bound"] >= 0.94
    assert numbers["low_ratio"] <= 1 <= numbers["high_ratio"] <= numbers["bound_ratio"]
    assert seen.error.max() <= MOST_MM
