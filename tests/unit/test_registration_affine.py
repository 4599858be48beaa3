"""A stretched head is measured: its place, its scale and its shear; and it is not passed off as the same patient."""

import numpy as np
import pytest

from fusion import Verdict, assess, register
from fusion.errors import ParameterError
from fusion.geometry.transform import AffineTransform
from fusion.registration.affine import AffineRegistrar, stretch_measures, stretch_notes
from fusion.volume import Grid, Volume
from tests.fixtures.two_contrast_head import CT_HU, MR_T1, head, mean_error_mm
from tests.fixtures.volumes import make_grid

GRID = make_grid((40, 60, 50), (5.0, 4.0, 4.0))


def stretched(volume: Volume, by: AffineTransform) -> Volume:
    """The same voxels on a grid that was stretched: exact, without interpolation."""
    return Volume(volume.voxels, Grid(volume.grid.shape, by.matrix @ volume.grid.affine), volume.unit, volume.modality)


def affine(turn_deg: tuple[float, ...], shift_mm: tuple[float, ...], linear: list[list[float]]) -> AffineTransform:
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    return AffineTransform(matrix).then(AffineTransform.rigid(np.radians(turn_deg).tolist(), shift_mm))


def test_a_known_stretch_is_recovered_across_contrasts_and_is_for_a_person_to_look_at() -> None:
    truth = affine((8, -6, 10), (12.0, -9.0, 7.0), [[1.05, 0.03, 0], [0, 0.96, 0.02], [0, 0, 1.02]])
    ct, mr = head(CT_HU, modality="CT", noise=0.01, grid=GRID), stretched(head(MR_T1, grid=GRID), truth)

    found = register(ct, mr, "affine", climbing=8)

    assert isinstance(found.transform, AffineTransform)
    assert mean_error_mm(found.transform, truth) < 0.5
    assert found.measures["volume_ratio"] == pytest.approx(np.linalg.det(truth.matrix[:3, :3]), abs=0.01)
    scales = np.linalg.svd(truth.matrix[:3, :3], compute_uv=False)
    assert found.measures["largest_scale_ratio"] == pytest.approx(scales[0], abs=0.01)
    assert found.measures["smallest_scale_ratio"] == pytest.approx(scales[-1], abs=0.01)
    assert found.notes == ()
    report = assess(ct, mr, found)
    assert report.verdict is Verdict.REVIEW
    assert "one patient" in report.reasons[0]


def test_a_small_body_that_is_exchanged_with_the_fixed_one_is_mapped_from_fixed_to_moving() -> None:
    slab = make_grid((20, 60, 50), (5.0, 4.0, 4.0), centre_mm=(0.0, 0.0, 15.0))
    truth = affine((4, 3, -5), (6.0, 5.0, -4.0), [[1.03, 0, 0], [0, 1.03, 0], [0, 0, 1.03]])
    ct, mr = head(CT_HU, modality="CT", noise=0.01, grid=GRID), stretched(head(MR_T1, grid=slab), truth)
    found = register(ct, mr, "affine", climbing=8)
    assert found.measures["volume_ratio"] == pytest.approx(1.03**3, abs=0.03)
    assert isinstance(found.transform, AffineTransform)
    assert mean_error_mm(found.transform, truth) < 2.0


def test_measures_of_a_stretch_do_not_depend_on_the_turn() -> None:
    linear = [[1.1, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.9]]
    one, other = affine((0, 0, 0), (0, 0, 0), linear), affine((40, -70, 110), (5, 6, 7), linear)
    assert stretch_measures(one) == pytest.approx(stretch_measures(other))
    assert stretch_measures(one)["volume_ratio"] == pytest.approx(0.99)
    assert stretch_measures(one)["shear_deg"] == pytest.approx(np.degrees(np.arctan(0.1)))
    assert stretch_measures(AffineTransform.rigid((1, 2, 3), (4, 5, 6))) == pytest.approx(
        {"volume_ratio": 1, "largest_scale_ratio": 1, "smallest_scale_ratio": 1, "shear_deg": 0}, abs=1e-6
    )


def test_a_volume_that_changes_by_more_than_a_person_does_is_noted() -> None:
    assert stretch_notes({"volume_ratio": 1.2}) == ()
    (note,) = stretch_notes({"volume_ratio": 1.4})
    assert "1.40" in note


def test_parameters_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ParameterError, match="climbing=0"):
        AffineRegistrar(climbing=0)
    with pytest.raises(ParameterError, match=r"min_inside=1\.5"):
        AffineRegistrar(min_inside=1.5)
