"""Slices in any order, tilted, uneven, doubled or missing: one regular grid in the right place, or the reason."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.errors import NotAVolumeError
from dicomnode.load import load_series
from dicomnode.load.frames import Frame
from dicomnode.load.geometry import Stack, stack_of
from dicomnode.load.headers import FrameHeader
from dicomnode.load.regular_grid import Regular, regular_from
from fusion.geometry.transform import rotation_matrix
from tests.fixtures.dicom_series import AXIAL, OBLIQUE, assert_same_voxels, classic_series, itk_series, noise

IDENTITY: dict[str, Any] = {
    "PatientID": "P1",
    "IssuerOfPatientID": "HOSPITAL",
    "PatientName": "Doe^Jane",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
}
ROWS, COLUMNS = 7, 6
SPACING_MM = (1.5, 1.2)


def frame(position: NDArray[np.float64], axes: NDArray[np.float64], number: int = 0, thickness: float = 3.0) -> Frame:
    """A frame on (row, column) `axes`, given as the first two of three columns."""
    header = Dataset()
    header.Rows, header.Columns = ROWS, COLUMNS
    return Frame(FrameHeader(header), number, 0, position, axes[:, 0], axes[:, 1], SPACING_MM, thickness)


def frames_at(distances: NDArray[Any], axes: NDArray[np.float64], drift_mm: NDArray[Any] | None = None) -> list[Frame]:
    """Frames along the normal from (10, -20, 30); `drift_mm` moves each down its columns."""
    drift = np.zeros(len(distances)) if drift_mm is None else drift_mm
    origin = np.array([10.0, -20.0, 30.0])
    return [
        frame(origin + d * axes[:, 2] + s * axes[:, 1], axes, number)
        for number, (d, s) in enumerate(zip(distances, drift, strict=True))
    ]


def on_grid(stack: Stack, volume_of: Any) -> Regular:
    """The regular grid of `stack`, its voxels filled with a function of the place in mm."""
    rows, columns = np.mgrid[0:ROWS, 0:COLUMNS]
    voxels = np.stack(
        [
            volume_of(
                one.position
                + rows[..., None] * SPACING_MM[0] * stack.column
                + columns[..., None] * SPACING_MM[1] * stack.row
            )
            for one in stack.frames
        ]
    ).astype(np.float32)
    return regular_from(voxels, np.ones(voxels.shape, dtype=bool), stack, -1000.0, None)


def linear(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """What linear interpolation reproduces exactly."""
    result: NDArray[np.float64] = points @ np.array([0.7, -1.1, 1.9]) + 5
    return result


def assert_holds(regular: Regular) -> None:
    """Where the volume says that it measured, it holds the value of the place that its grid gives."""
    indices = np.argwhere(regular.valid)
    assert len(indices) > 0
    expected = linear(regular.grid.points(indices.astype(np.float64)))
    np.testing.assert_allclose(regular.voxels[regular.valid], expected, atol=0.15, rtol=0)
    assert (regular.voxels[~regular.valid] == -1000).all()
    direction = regular.grid.direction
    np.testing.assert_allclose(direction.T @ direction, np.eye(3), atol=1e-9)


directions = st.tuples(*[st.floats(-1.5, 1.5)] * 3).map(
    lambda vector: rotation_matrix(np.array(vector, dtype=np.float64))
)


@given(directions, st.lists(st.floats(1.9, 2.6), min_size=2, max_size=9), st.floats(-0.4, 0.4), st.randoms())
def test_any_order_any_direction_uneven_and_tilted_slices_are_put_where_they_lie(
    axes: NDArray[np.float64], steps: list[float], tilt: float, order: random.Random
) -> None:
    distances = np.concatenate([[0.0], np.cumsum(steps)])
    frames = frames_at(distances, axes, distances * np.tan(tilt))
    order.shuffle(frames)
    stack = stack_of(frames, lambda _one, _other: False)
    assert (np.diff(stack.distances_mm) > 0).all()
    assert_holds(on_grid(stack, linear))


@given(directions, st.integers(3, 12), st.floats(0.5, 8.0))
def test_an_even_straight_stack_is_taken_as_it_is(axes: NDArray[np.float64], count: int, step: float) -> None:
    stack = stack_of(frames_at(np.arange(count) * step, axes), lambda _one, _other: False)
    regular = on_grid(stack, linear)
    assert regular.notes == ()
    assert regular.valid.all()
    assert regular.grid.shape == (count, ROWS, COLUMNS)
    np.testing.assert_allclose(regular.grid.spacing_mm, (step, *SPACING_MM), rtol=1e-9)
    np.testing.assert_allclose(regular.grid.origin_mm, stack.positions[0], atol=1e-9)
    assert_holds(regular)


def test_a_tilt_keeps_every_voxel_on_a_larger_canvas() -> None:
    axes = np.eye(3)
    distances = np.arange(6) * 3.0
    stack = stack_of(frames_at(distances, axes, distances * 0.5), lambda _one, _other: False)
    regular = on_grid(stack, linear)
    assert regular.grid.shape == (6, ROWS + 5, COLUMNS)  # five steps of 1.5 mm, one row each
    assert int(regular.valid.sum()) == 6 * ROWS * COLUMNS
    assert "26.6 degrees" in regular.notes[0]


def test_rounding_of_positions_is_neither_tilt_nor_unevenness() -> None:
    distances = np.arange(40) * 3.0
    jitter = np.random.default_rng(1).uniform(-0.02, 0.02, 40)
    stack = stack_of(frames_at(distances + jitter, np.eye(3), jitter), lambda _one, _other: False)
    regular = on_grid(stack, linear)
    assert regular.notes == ()
    assert regular.grid.shape[0] == 40


@settings(max_examples=10)
@given(order=st.permutations(range(5)))
def test_files_come_in_any_order(order: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    files = classic_series(tmp_path_factory.mktemp("series"), orientation=OBLIQUE)
    loaded = load_series([files[index] for index in order])
    ordered = load_series(files)
    assert loaded.volume.source_uids == ordered.volume.source_uids
    np.testing.assert_array_equal(loaded.volume.voxels.numpy(), ordered.volume.voxels.numpy())
    np.testing.assert_array_equal(loaded.volume.grid.affine, ordered.volume.grid.affine)


@pytest.mark.parametrize(
    "orientation", [AXIAL, OBLIQUE, (0, 1, 0, 0, 0, -1), (-1, 0, 0, 0, -1, 0), (1, 0, 0, 0, -1, 0)]
)
@pytest.mark.parametrize("step_mm", [3.0, -3.0])
def test_a_series_lies_where_simple_itk_puts_it(orientation: tuple[float, ...], step_mm: float, tmp_path: Path) -> None:
    files = classic_series(tmp_path, orientation=orientation, step_mm=step_mm)
    assert_same_voxels(load_series(files).volume, *itk_series(files))


def test_headers_follow_the_slices(tmp_path: Path) -> None:
    files = classic_series(tmp_path, step_mm=-3.0)
    loaded = load_series(files)
    heights = [float(header.ImagePositionPatient[2]) for header in loaded.headers]
    assert heights == sorted(heights)
    assert loaded.volume.source_uids == tuple(header.SOPInstanceUID for header in loaded.headers)
    assert not any("PixelData" in header for header in loaded.headers)
    assert loaded.volume.grid.frame_of_reference_uid == "1.2.3.5"


def heights(*z: float) -> list[tuple[float, float, float]]:
    return [(0.0, 0.0, each) for each in z]


def test_a_missing_slice_is_reported_and_marked(tmp_path: Path) -> None:
    files = classic_series(tmp_path, noise((8, 6, 6)), positions=heights(0, 3, 6, 9, 15, 18, 21, 24))
    volume = load_series(files).volume
    assert volume.grid.shape[0] == 9
    assert volume.valid is not None
    assert volume.valid.all(dim=2).all(dim=1).tolist() == [True] * 4 + [False] + [True] * 4
    assert (volume.voxels[4] == -1024).all()
    assert "9.0 to 15.0 mm" in volume.notes[0]


@pytest.mark.parametrize("positions", [heights(0, 3, 6, 9, 24, 27, 30, 33), heights(0, 3, 9, 15, 21, 24, 27, 30)])
def test_too_much_missing_is_refused_with_the_place(positions: list[Any], tmp_path: Path) -> None:
    with pytest.raises(NotAVolumeError, match=r"slices are missing where the usual step is 3\.00 mm: along the normal"):
        load_series(classic_series(tmp_path, noise((8, 6, 6)), positions=positions))


def test_thick_slices_far_apart_are_no_gap(tmp_path: Path) -> None:
    def thickness(number: int, dataset: Dataset) -> None:
        dataset.SliceThickness = "3" if number < 4 else "7"

    positions = heights(0, 3, 6, 9, 13, 20, 27)
    volume = load_series(classic_series(tmp_path, noise((7, 6, 6)), positions=positions, each=thickness)).volume
    assert volume.valid is None
    assert not any("missing" in note for note in volume.notes)


def test_the_same_slice_twice_is_dropped_and_said(tmp_path: Path) -> None:
    stored = noise()
    doubled = np.concatenate([stored, stored[2:3]])
    volume = load_series(classic_series(tmp_path, doubled, positions=heights(0, 3, 6, 9, 12, 6))).volume
    assert volume.grid.shape[0] == 5
    np.testing.assert_array_equal(volume.voxels.numpy(), stored - 1024.0)
    assert len(volume.source_uids) == 5
    assert "1 slice that was there twice" in volume.notes[0]


@pytest.mark.parametrize(
    ("keyword", "values", "words"),
    [
        ("EchoTime", ("10", "80"), r"echo times \(10, 80\)"),
        ("DiffusionBValue", (0.0, 1000.0), r"b-values"),
        ("TemporalPositionIdentifier", ("1", "2"), r"points in time"),
        ("ImageType", (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]), r"image types"),
        ("AcquisitionNumber", ("1", "2"), r"acquisitions"),
        ("AcquisitionTime", ("100000", "100500"), r"acquisition times"),
    ],
)
def test_two_images_at_one_place_are_refused_by_what_tells_them_apart(
    keyword: str, values: tuple[Any, Any], words: str, tmp_path: Path
) -> None:
    def each(number: int, dataset: Dataset) -> None:
        setattr(dataset, keyword, values[number % 2])

    positions = heights(0, 0, 3, 3, 6, 6)
    with pytest.raises(
        NotAVolumeError, match=rf"up to 2 different images at 3 of 3 places, told apart by their {words}"
    ):
        load_series(classic_series(tmp_path, noise((6, 6, 6)), "MR", positions=positions, each=each))


def test_two_images_with_nothing_between_them_are_refused_too(tmp_path: Path) -> None:
    with pytest.raises(NotAVolumeError, match="with no order to them"):
        load_series(classic_series(tmp_path, noise((6, 6, 6)), positions=heights(0, 0, 3, 3, 6, 6)))


def test_two_stacks_a_little_apart_are_refused(tmp_path: Path) -> None:
    positions = heights(0, 0.1, 3, 3.1, 6, 6.1, 9, 9.1, 12, 12.1)
    with pytest.raises(NotAVolumeError, match=r"0\.10 to 2\.90 mm apart in turn"):
        load_series(classic_series(tmp_path, noise((10, 6, 6)), positions=positions))


def test_mixed_orientations_are_refused(tmp_path: Path) -> None:
    def turned(number: int, dataset: Dataset) -> None:
        if number % 2:
            dataset.ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]

    with pytest.raises(NotAVolumeError, match="lie in 2 orientations"):
        load_series(classic_series(tmp_path, each=turned))


def test_a_localiser_among_slices_is_left_out(tmp_path: Path) -> None:
    def localiser(number: int, dataset: Dataset) -> None:
        if number == 0:
            dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
            dataset.ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]

    loaded = load_series(classic_series(tmp_path, each=localiser))
    assert loaded.volume.grid.shape[0] == len(loaded.headers) == 4
    assert "1 in number" in loaded.volume.notes[0]


def test_orientation_cosines_that_are_rounded_are_made_perpendicular(tmp_path: Path) -> None:
    rounded = ("0.999", "0.028", "-0.009", "-0.028", "0.998", "-0.050")
    row, column = np.array(rounded, dtype=float).reshape(2, 3)
    normal = np.cross(row, column)
    places = [tuple(k * 3.0 * normal / np.linalg.norm(normal)) for k in range(5)]
    volume = load_series(classic_series(tmp_path, positions=places, ImageOrientationPatient=list(rounded))).volume
    np.testing.assert_allclose(volume.grid.direction.T @ volume.grid.direction, np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("number", "elements", "reason"),
    [
        (2, {"PixelSpacing": ["1.5", "1.3"]}, "different Pixel Spacing"),
        (2, {"PixelSpacing": None}, "no Pixel Spacing"),
        (2, {"ImagePositionPatient": None}, "no Image Position"),
        (2, {"FrameOfReferenceUID": "1.2.3.99"}, "2 Frames of Reference"),
        (2, {"SeriesInstanceUID": "1.2.3.99"}, "2 series"),
        (2, {"PatientID": "P2"}, "2 patients"),
        (2, {"IssuerOfPatientID": "ELSEWHERE"}, "2 issuers"),
        (2, {"PatientName": "Other^Person"}, "2 patient names"),
        (2, {"PatientBirthDate": "19900909"}, "2 birth dates"),
        (2, {"PatientSex": "M"}, "2 sexes"),
        (2, {"StudyInstanceUID": "1.2.9.99"}, "2 studies"),
    ],
)
def test_slices_that_do_not_belong_together_are_refused(
    number: int, elements: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    def each(index: int, dataset: Dataset) -> None:
        for keyword, value in elements.items() if index == number else ():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)

    with pytest.raises(NotAVolumeError, match=reason):
        load_series(classic_series(tmp_path, each=each, **IDENTITY))


@pytest.mark.parametrize(
    "elements",
    [
        {"PatientName": "DOE^JANE^^"},
        {"PatientName": "Doe^Jane=ドウ^ジェーン", "SpecificCharacterSet": "ISO_IR 192"},
        {"PatientBirthDate": "1970.01.01"},
        {"PatientID": None, "IssuerOfPatientID": None},
        {"PatientName": "", "PatientBirthDate": "", "PatientSex": None},
    ],
)
def test_a_slice_may_be_silent_about_the_patient_or_spell_the_name_otherwise(
    elements: dict[str, Any], tmp_path: Path
) -> None:
    def each(index: int, dataset: Dataset) -> None:
        for keyword, value in elements.items() if index == 2 else ():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)

    paths = classic_series(tmp_path, each=each, **IDENTITY)
    assert load_series(paths).volume.grid.shape[0] == len(paths)


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_slices_are_no_volume(count: int, tmp_path: Path) -> None:
    with pytest.raises(NotAVolumeError, match=f"^{count} slice"):
        load_series(classic_series(tmp_path, noise((count, 6, 6))))
