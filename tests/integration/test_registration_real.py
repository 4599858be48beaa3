"""Real images with known moves written into their headers: errors against the truth, and what the gate says of them."""

from pathlib import Path

import numpy as np
import pytest

from fusion import Verdict, Volume, assess, register
from fusion.geometry.transform import AffineTransform
from fusion.registration.distance import mean_displacement_mm
from fusion.registration.preparation import prepare
from tests.fixtures.sitk_volumes import moved_header, read_volume

pytestmark = pytest.mark.data

LIMIT_MM = 2.5


def template(data: Path, name: str, role: str, modality: str) -> Volume:
    return read_volume(data / "registration_pairs" / f"{name}_{role}.nii.gz", modality)


def sarcoma(data: Path, patient: str, series: str, modality: str) -> Volume:
    return read_volume(data / "petctmr_sarcoma" / patient / series / "image", modality)


def offset(
    moving: Volume, turn_deg: tuple[float, float, float], shift_mm: tuple[float, float, float]
) -> AffineTransform:
    return AffineTransform.rigid(np.radians(turn_deg).tolist(), shift_mm, moving.grid.centre_mm.tolist())


def error_mm(fixed: Volume, found: AffineTransform, truth: AffineTransform) -> float:
    return mean_displacement_mm(found, truth, prepare(fixed, ()).body_points)


@pytest.mark.parametrize(
    ("name", "modality", "limit_mm", "verdict"),
    [
        ("tplT2", "MR", 0.7, Verdict.ACCEPT),
        ("tplPD", "MR", 0.9, Verdict.ACCEPT),
        ("tplCT", "OT", 2.0, Verdict.REVIEW),  # made symmetric: mirrored it would match as well
        ("tplPET", "PT", 3.0, Verdict.REVIEW),
        ("tplSPECT", "NM", 3.0, Verdict.REVIEW),
    ],
)
@pytest.mark.parametrize(
    ("turn_deg", "shift_mm"),
    [((20.0, -15.0, 25.0), (30.0, -35.0, 20.0)), ((0.0, 0.0, 178.0), (5.0, 10.0, 0.0))],
    ids=["turned", "flipped"],
)
def test_heads_come_back_from_any_position(
    name: str,
    modality: str,
    limit_mm: float,
    verdict: Verdict,
    turn_deg: tuple[float, float, float],
    shift_mm: tuple[float, float, float],
    reference_data: Path,
) -> None:
    fixed, moving = template(reference_data, name, "fixed", "MR"), template(reference_data, name, "moving", modality)
    truth = offset(moving, turn_deg, shift_mm)
    moving = moved_header(moving, truth.matrix)
    found = register(fixed, moving, "rigid")
    report = assess(fixed, moving, found)
    assert error_mm(fixed, found.transform.affine, truth) < limit_mm
    assert report.verdict is (Verdict.REVIEW if max(turn_deg) > 45 else verdict), report.reasons
    assert any(r.startswith("header contradicted") for r in report.reasons) == (max(turn_deg) > 45)


def test_the_answer_moves_with_the_header(reference_data: Path) -> None:
    # T1 and PD of this person do not lie as their headers say, so there is no truth but consistency.
    fixed, moving = (
        template(reference_data, "chrisPD", "fixed", "MR"),
        template(reference_data, "chrisPD", "moving", "MR"),
    )
    move = offset(moving, (-20.0, 10.0, 15.0), (-30.0, 20.0, 35.0))
    as_stored, elsewhere = (register(fixed, m, "rigid") for m in (moving, moved_header(moving, move.matrix)))
    assert error_mm(fixed, elsewhere.transform.affine, as_stored.transform.affine.then(move)) < 0.2
    assert assess(fixed, moving, as_stored).verdict is Verdict.ACCEPT


def test_supine_and_prone_of_one_person_are_accepted(reference_data: Path) -> None:
    supine, prone = (read_volume(reference_data / "mr_positions" / f"{p}_t1", "MR") for p in ("HFS", "HFP"))
    found = register(supine, prone, "rigid")
    assert found.measures["header_shift_mm"] > 40
    assert assess(supine, prone, found).verdict is Verdict.ACCEPT


@pytest.mark.parametrize("other", ["tplCT", "tplT2", "tplPET"])
def test_heads_of_two_patients_are_never_accepted(other: str, reference_data: Path) -> None:
    person = template(reference_data, "chrisPD", "fixed", "MR")
    somebody = template(reference_data, other, "moving", "PT" if other == "tplPET" else "MR")
    report = assess(person, somebody, register(person, somebody, "rigid"))
    assert report.verdict is not Verdict.ACCEPT
    assert report.error_bound_mm > 2 * LIMIT_MM


@pytest.mark.parametrize("patient", ["STS_001", "STS_002", "STS_003"])
@pytest.mark.parametrize(("series", "modality"), [("PET", "PT"), ("MR_T1", "MR")])
def test_what_is_accepted_of_a_small_field_of_view_is_right(
    patient: str, series: str, modality: str, reference_data: Path
) -> None:
    fixed, moving = sarcoma(reference_data, patient, "CT", "CT"), sarcoma(reference_data, patient, series, modality)
    truth = offset(moving, (6.0, -8.0, 5.0), (15.0, -10.0, 12.0))
    moving = moved_header(moving, truth.matrix)
    found = register(fixed, moving, "rigid")
    error = error_mm(fixed, found.transform.affine, truth)
    assert error < LIMIT_MM or assess(fixed, moving, found).verdict is not Verdict.ACCEPT


def test_one_examination_keeps_its_coordinates_and_motion_is_not_accepted(reference_data: Path) -> None:
    fixed, moving = sarcoma(reference_data, "STS_001", "CT", "CT"), sarcoma(reference_data, "STS_001", "PET", "PT")
    still = register(fixed, moving, identity_is_default=True)
    np.testing.assert_array_equal(still.transform.matrix, np.eye(4))
    # A thigh in PET says too little to confirm its coordinates; the header is kept and a person looks.
    assert assess(fixed, moving, still).verdict is not Verdict.REJECT
    moved = moved_header(moving, offset(moving, (0.0, 0.0, 0.0), (8.0, -6.0, 0.0)).matrix)
    report = assess(fixed, moved, register(fixed, moved, identity_is_default=True))
    assert report.verdict is Verdict.REVIEW
    assert "shared coordinates" in report.reasons[0]
