"""What is drawn: the label on fused slices and the quality page."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomnode.encode import EncodeInputs, encode
from dicomnode.encode.label import font, label_of, plain_number
from dicomnode.encode.page_text import bulleted, drawable
from dicomnode.encode.patient_planes import AXIAL, CORONAL, SAGITTAL, PatientPlane, sample
from dicomnode.encode.quality_page import page
from dicomnode.encode.quality_panels import checkerboard, middle_of, panels_of
from fusion import Grid, Verdict, Volume, resample
from fusion.display import window_of
from fusion.geometry.transform import AffineTransform
from tests.fixtures.derived_case import FRAMES, build_case, grid

FUSED = ("fused_colour",)


def pixels(inputs: EncodeInputs) -> np.ndarray:
    (series,) = encode(inputs)
    shape = (-1, *inputs.fixed.grid.shape[1:], 3)
    return np.concatenate([np.frombuffer(item.PixelData, np.uint8).reshape(shape) for item in series.instances])


def test_without_a_label_the_pixels_are_the_fused_ones() -> None:
    inputs = build_case(outputs=FUSED, output_parameters={"label_pixels": False})
    assert np.array_equal(pixels(inputs), inputs.moving.fused.image.numpy())
    assert encode(inputs)[0].instances[0].BurnedInAnnotation == "NO"


def test_a_label_covers_little_and_changes_nothing_else() -> None:
    larger = grid((2, 256, 256), (60, 0.8, 0.8), FRAMES["fixed"])
    inputs = build_case(outputs=FUSED, fixed_grid=larger)
    labelled, plain = pixels(inputs), inputs.moving.fused.image.numpy()
    changed = (labelled != plain).any(axis=-1)
    assert 0.002 < changed.mean() < 0.05
    drawn = label_of(inputs).opacity[..., 0] > 0
    assert not (changed & ~drawn).any()
    assert encode(inputs)[0].instances[0].BurnedInAnnotation == "YES"


def test_the_verdict_is_drawn_only_when_a_person_has_to_look() -> None:
    accepted, review = (build_case(outputs=FUSED, verdict=verdict) for verdict in (Verdict.ACCEPT, Verdict.REVIEW))
    differs = (label_of(accepted).opacity != label_of(review).opacity)[..., 0]
    assert differs.any()
    rows, columns = np.nonzero(differs)
    assert rows.max() < differs.shape[0] // 2
    assert columns.min() < differs.shape[1] // 4


def test_the_colour_bar_runs_through_the_colours_of_the_method() -> None:
    larger = grid((2, 256, 256), (60, 0.8, 0.8), FRAMES["fixed"])
    bar = label_of(build_case(outputs=FUSED, fixed_grid=larger))
    column = bar.colour[96:160, -6]
    brightness = column.sum(axis=1)
    assert brightness[2] > 2.5
    assert brightness[-3] < 0.3
    assert (np.diff(brightness[2:-2]) <= 0.05).all()


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (1080.0, "", "1080"),
        (12.2, "", "12"),
        (0.0, "", "0"),
        (7.5312, "SUVbw", "7.53"),
        (12.2, "SUVbw", "12.2"),
        (5.0, "SUVbw", "5"),
        (31250.4, "BQML", "31250"),
        (-160.0, "HU", "-160"),
        (0.0000123, "", "0.0000123"),
    ],
)
def test_the_ends_of_the_colour_bar_are_plain_numbers(value: float, unit: str, words: str) -> None:
    assert plain_number(value, unit) == words


def test_a_grey_method_is_written_as_grey_colour() -> None:
    inputs = build_case(outputs=FUSED, output_parameters={"label_pixels": False})
    grey = inputs.moving.fused.image[..., 0].float() / 255
    fused = replace(inputs.moving.fused, image=grey, method="average", legend=())
    written = pixels(replace(inputs, moving=replace(inputs.moving, fused=fused)))
    assert np.array_equal(written[..., 0], inputs.moving.fused.image[..., 0].numpy())
    assert (written[..., :1] == written).all()


@pytest.mark.parametrize(
    ("plane", "axis", "toward"), [(AXIAL, 0, "L"), (CORONAL, 0, "L"), (SAGITTAL, 1, "P")], ids=lambda v: str(v)[:12]
)
def test_the_letter_at_the_right_edge_is_where_that_side_lies(plane: PatientPlane, axis: int, toward: str) -> None:
    """LPS grows towards the left and the back, whatever way the grid is turned."""
    turned = grid((10, 20, 30), (5, 3, 2), None, turned=True)
    points, mm_per_pixel = plane.points(turned, turned.centre_mm, 64)
    assert plane.letters[1] == toward
    assert points[32, 63, axis] > points[32, 0, axis]
    assert np.linalg.norm(points[0, 1] - points[0, 0]) == pytest.approx(mm_per_pixel)
    assert np.linalg.norm(points[1, 0] - points[0, 0]) == pytest.approx(mm_per_pixel)
    if plane is not AXIAL:
        assert points[0, 0, 2] > points[63, 0, 2]  # head up


def test_a_lesion_on_the_patients_left_is_at_the_right_of_the_picture() -> None:
    for turned in (False, True):
        inputs = build_case("PT", fixed_grid=grid((20, 48, 48), (7, 4, 4), FRAMES["fixed"], turned), outputs=())
        volume = inputs.fixed
        points, _ = AXIAL.points(volume.grid, np.array([0.0, 0, 12]), 200)
        hot = sample(inputs.moving.moved.voxels.numpy(), volume.grid, points, 0.0) > 7
        rows, columns = np.nonzero(hot)
        assert columns.mean() > 105
        assert rows.mean() < 95


def test_a_plane_has_the_values_of_the_volume() -> None:
    inputs = build_case("CT", outputs=())
    volume = inputs.fixed
    points, _ = CORONAL.points(volume.grid, volume.grid.centre_mm, 50)
    inside = sample(volume.voxels.numpy(), volume.grid, points, -1000.0)
    assert inside.max() > 500
    assert inside[0, 0] == -1000


def test_the_panels_go_through_the_middle_of_what_was_moved() -> None:
    inputs = build_case("PT", outputs=())
    moved = inputs.moving.moved
    assert middle_of(moved, window_of(moved)) == pytest.approx([0, 0, 0], abs=8)
    empty = replace(moved, voxels=moved.voxels * 0)
    assert middle_of(empty, window_of(empty)) == pytest.approx(moved.grid.centre_mm)


def test_the_checkerboard_shows_both_in_equal_parts() -> None:
    first, second = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)
    assert checkerboard(first, second).mean() == pytest.approx(127.5)


@pytest.mark.parametrize(("shift", "lowest", "highest"), [(0.0, 0.0, 6.0), (15.0, 9.0, 21.0)])
def test_contours_lie_on_the_edge_of_an_aligned_pair_and_beside_that_of_a_shifted_one(
    shift: float, lowest: float, highest: float
) -> None:
    """The moved CT's skin against x = 62 mm, where the fixed CT has its own."""
    inputs = build_case("CT", outputs=(), transform=AffineTransform.identity())
    found = AffineTransform.rigid((0, 0, 0), (shift, 0, 0))
    moved = resample(inputs.moving.volume, found, inputs.fixed.grid)
    contours = panels_of(replace(inputs, moving=replace(inputs.moving, moved=moved)), 200).rows[1]
    skin = (contours[1][0] == (0, 220, 255)).all(axis=-1)
    points, _ = AXIAL.points(inputs.fixed.grid, inputs.fixed.grid.centre_mm, 200)
    distance = abs(points[100, np.flatnonzero(skin[100]).max(), 0] - 62)
    assert lowest <= distance <= highest


def test_a_negative_shown_inverted_gives_the_panels_of_the_original() -> None:
    def turned(volume: Volume) -> Volume:
        return replace(volume, voxels=1000 - volume.voxels, inverted_display=True)

    small = grid((9, 20, 20), (10, 6, 6), FRAMES["moving"])
    plain, inverted, negative = (
        panels_of(build_case("MR", outputs=(), moving_grid=small, change=change), 120).rows[0][1]
        for change in (lambda v: v, turned, lambda v: replace(turned(v), inverted_display=False))
    )
    tiles = checkerboard(np.zeros((120, 120, 3), np.uint8), np.full((120, 120, 3), 255, np.uint8))[..., 0] > 0
    for index in range(3):
        original, alike, unlike = (board[index][..., 0][tiles].astype(float) for board in (plain, inverted, negative))
        assert np.corrcoef(original, alike)[0, 1] > 0.95
        assert np.corrcoef(original, unlike)[0, 1] < 0.5


@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_page_is_drawn_for_every_verdict_and_never_the_same(verdict: Verdict) -> None:
    picture = page(build_case(verdict=verdict, outputs=()))
    assert picture.shape == (1768, 1680, 3)
    badge = {Verdict.ACCEPT: (70, 190, 90), Verdict.REVIEW: (255, 176, 0), Verdict.REJECT: (255, 70, 70)}[verdict]
    assert (picture[20:60, 1500:1650] == badge).all(axis=-1).mean() > 0.3


def test_the_page_does_not_depend_on_who_the_patient_is() -> None:
    inputs = build_case(outputs=())
    before = page(inputs)
    for header in (*inputs.fixed_headers, *inputs.moving.headers, inputs.filing_header):
        header.PatientName, header.PatientID, header.PatientBirthDate = "Marked^Patient", "MARK-7", "19000101"
    assert np.array_equal(before, page(inputs))


def test_long_reasons_neither_leave_the_page_nor_fail() -> None:
    inputs = build_case(outputs=(), verdict=Verdict.REVIEW)
    report = replace(
        inputs.moving.report,
        reasons=tuple(f"reason {n} with very many words " * 6 for n in range(30)),
        expected_error_mm=float("inf"),
        error_bound_mm=float("nan"),
    )
    picture = page(replace(inputs, moving=replace(inputs.moving, report=report)))
    assert (picture[-20:] == picture[-1, 0]).all()


@given(st.text(max_size=80))
def test_text_for_a_page_is_what_its_typeface_has(words: str) -> None:
    assert drawable(words).isascii()


def test_letters_with_accents_lose_only_the_accent() -> None:
    assert drawable("Kopf → Schädel, 5 × 3 µm ≤ 日本") == "Kopf -> Schadel, 5 x 3 um <= ??"


def test_lines_fit_their_column() -> None:
    lines = list(bulleted(["one two three four five six seven " * 4, "x" * 200], font(16), 200))
    assert all(font(16).getlength(line) <= 206 for line in lines)
    assert lines[0].startswith("- ")


def test_a_method_on_an_oblique_grid_can_be_labelled() -> None:
    onto: Grid = grid((3, 40, 50), (5, 4, 4), FRAMES["fixed"], turned=True)
    (series,) = encode(build_case(outputs=FUSED, fixed_grid=onto))
    assert len(series.instances) == 3
    assert all(len(part) <= 3 for part in series.instances[0].PatientOrientation)
