"""Pairs with a known truth, registered and judged as the node does it, and the true error beside its own estimate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from dicomnode.load import load_input
from dicomnode.pipeline import register_pair
from fusion import Unit, Volume
from fusion.geometry.transform import AffineTransform
from fusion.types import Points
from storage.records import Recipe
from tests.benchmarks.independent_registration import independently_registered
from tests.fixtures.known_offset import FLIP, LARGE, MIDDLE, NONE, SMALL, Offset, moved_series, moved_volume
from tests.fixtures.written_quantities import PATIENTS, TUMOURS

PAIRS = "registration_pairs"
TEMPLATES = ("tplCT", "tplPET", "tplSPECT", "tplT2", "tplPD")
ONE_SUBJECT = "chrisPD"
"""The T1 scan of the subject is the fixed image of this pair. The volunteer of `mr_positions` seems to be the same: all
three heads fit without a stretch, and T1 → volunteer → PD ends within 0.5 mm of T1 → PD."""

SERIES_OFFSETS = (NONE, SMALL, MIDDLE, LARGE, FLIP)
HEAD_OFFSETS = (
    NONE,
    Offset("+10°, +20 mm", (6, 6, -5.3), (12, 12, -10.6)),
    Offset("-10°, -20 mm", (-6, 5.3, 6), (-12, 10.6, 12)),
    Offset("+30°, +40 mm", (17.3, -17.3, 17.3), (23, -23, 23)),
    Offset("-30°, -40 mm", (-17.3, -17.3, -17.3), (-23, -23, -23)),
    FLIP,
)

BODY_HU = -300.0
POINTS = 20_000
MR_TRUTH_MM = 5.0
"""How well others aligned the MR of the sarcoma patients; their CT–MR rows can be no truer."""

ERROR_LIMIT_MM = 2.5
"""An accepted pair with a mean error above this is what must not happen."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A pair, what it is called, and where its moving image truly lies; None where nobody knows."""

    pair: str
    offset: str
    fixed: Volume
    moving: Volume
    truth: AffineTransform | None
    identity_is_default: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What came of a case. Errors are over the fixed body, as far as it truly lies in the moving image, in mm."""

    pair: str
    offset: str
    registrar: str
    found: AffineTransform
    errors: Points | None
    expected_mm: float
    bound_mm: float
    verdict: str
    reason: str
    seconds: float

    @property
    def mean_mm(self) -> float:
        return float("nan") if self.errors is None else float(self.errors.mean())

    @property
    def p95_mm(self) -> float:
        return float("nan") if self.errors is None else float(np.percentile(self.errors, 95))

    @property
    def falsely_accepted(self) -> bool:
        return self.verdict == "accept" and (self.errors is None or self.mean_mm >= ERROR_LIMIT_MM)


def run(case: Case) -> Row:
    """Register and judge `case` as a case of the node."""
    registration, report = register_pair(
        case.fixed, case.moving, Recipe("benchmark"), case.identity_is_default, lambda _step: None
    )
    return Row(
        pair=case.pair,
        offset=case.offset,
        registrar=registration.registrar,
        found=registration.transform,
        errors=None if case.truth is None else errors_mm(case, registration.transform, case.truth),
        expected_mm=registration.expected_error_mm,
        bound_mm=registration.error_bound_mm,
        verdict=report.verdict.value,
        reason=report.reasons[0],
        seconds=registration.seconds,
    )


def errors_mm(case: Case, found: AffineTransform, truth: AffineTransform) -> Points:
    """(n,): how far each point of the fixed body is put from where it truly lies."""
    points = body_points(case.fixed)
    indices = case.moving.grid.indices(truth(points))
    seen = ((indices >= 0) & (indices <= np.array(case.moving.grid.shape) - 1)).all(axis=1)
    distances: Points = np.linalg.norm(found(points[seen]) - truth(points[seen]), axis=1)
    return distances


def body_points(volume: Volume) -> Points:
    """(n, 3) LPS mm: voxels of the body by a threshold of its own, -300 HU or Otsu's, not by the engine's mask."""
    voxels = volume.voxels.numpy()
    body = voxels > BODY_HU if volume.unit is Unit.HU else _above_otsu(voxels)
    places = np.argwhere(body).astype(np.float64)
    return volume.grid.points(places[:: max(1, len(places) // POINTS)])


def _above_otsu(voxels: NDArray[np.float32]) -> NDArray[np.bool_]:
    mask = SimpleITK.OtsuThreshold(SimpleITK.GetImageFromArray(voxels), 0, 1)
    return np.asarray(SimpleITK.GetArrayFromImage(mask) == 1)


def sarcoma_cases(
    data: Path, folder: Path, patients: Sequence[str] = PATIENTS, offsets: Sequence[Offset] = SERIES_OFFSETS
) -> Iterator[Case]:
    """CT against PET and MR as scanned, then with the moving series rewritten elsewhere, in a Frame of its own."""
    for patient in patients:
        images = data / TUMOURS / patient
        fixed = load_input(images / "CT" / "image").volume
        for name in ("PET", "MR_T1"):
            source = images / name / "image"
            moving = load_input(source).volume
            pair = f"{patient} CT–{name.removesuffix('_T1')}"
            yield Case(pair, "none, same Frame", fixed, moving, AffineTransform.identity())
            for number, offset in enumerate(offsets):
                motion = offset.about(moving.grid.centre_mm)
                series = moved_series(source, folder / patient / name / str(number), motion)
                yield Case(pair, offset.name, fixed, load_input(series).volume, motion)


def head_cases(
    data: Path, names: Sequence[str] = TEMPLATES, offsets: Sequence[Offset] = HEAD_OFFSETS
) -> Iterator[Case]:
    """Averaged heads in one space, as they are and with the moving one turned and shifted."""
    for name in names:
        fixed, moving = (load_input(data / PAIRS / f"{name}_{role}.nii.gz").volume for role in ("fixed", "moving"))
        for offset in offsets:
            motion = offset.about(moving.grid.centre_mm)
            yield Case(name, offset.name, fixed, moved_volume(moving, motion), motion)


def consensus_cases(data: Path, offsets: Sequence[Offset] = HEAD_OFFSETS) -> Iterator[Case]:
    """One person's heads whose truth nobody wrote down: another program's answer stands in for it."""
    subject, density = (
        load_input(data / PAIRS / f"{ONE_SUBJECT}_{role}.nii.gz").volume for role in ("fixed", "moving")
    )
    consensus = independently_registered(subject, density)
    for offset in offsets:
        motion = offset.about(density.grid.centre_mm)
        yield Case(ONE_SUBJECT, offset.name, subject, moved_volume(density, motion), consensus.then(motion))
    supine, prone = (load_input(data / "mr_positions" / f"{name}_t1").volume for name in ("HFS", "HFP"))
    for name, fixed, moving in (
        ("volunteer supine–prone", supine, prone),
        ("volunteer prone–supine", prone, supine),
        (f"volunteer supine–{ONE_SUBJECT} T1", supine, subject),
        (f"volunteer supine–{ONE_SUBJECT} PD", supine, density),
    ):
        yield Case(name, "as scanned", fixed, moving, independently_registered(fixed, moving))


def strangers(data: Path) -> Iterator[Case]:
    """Two people each: none of these may be accepted."""
    supine = load_input(data / "mr_positions" / "HFS_t1").volume
    average, subject = (load_input(data / PAIRS / f"{name}_fixed.nii.gz").volume for name in ("tplT2", ONE_SUBJECT))
    ct, pd, pet = (load_input(data / PAIRS / f"{name}_moving.nii.gz").volume for name in ("tplCT", "tplPD", "tplPET"))
    density = load_input(data / PAIRS / f"{ONE_SUBJECT}_moving.nii.gz").volume
    for name, fixed, moving in (
        (f"average T1–{ONE_SUBJECT} T1", average, subject),
        (f"{ONE_SUBJECT} T1–average PD", subject, pd),
        (f"{ONE_SUBJECT} T1–average CT", subject, ct),
        (f"{ONE_SUBJECT} T1–average PET", subject, pet),
        (f"average T1–{ONE_SUBJECT} PD", average, density),
        ("average T1–volunteer T1", average, supine),
        ("volunteer T1–average PD", supine, pd),
        ("volunteer T1–average CT", supine, ct),
    ):
        yield Case(name, "other person", fixed, moving, None)
    for one, other in (("STS_001", "STS_002"), ("STS_002", "STS_003"), ("STS_003", "STS_001")):
        leg = load_input(data / TUMOURS / one / "CT" / "image").volume
        for modality in ("PET", "MR_T1"):
            theirs = load_input(data / TUMOURS / other / modality / "image").volume
            yield Case(f"{one} CT–{other} {modality.removesuffix('_T1')}", "other person", leg, theirs, None)
