"""`blend` and `metrics` on files that are aligned already."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from dicomnode.encode.picture import LUMA, coloured
from dicomnode.load.pictures import load_aligned
from fusion.quality import METRICS, measure
from tests.fixtures.command_line import Command

RANDOM = np.random.default_rng(3)


def grey(path: Path, seed: int, shape: tuple[int, int] = (20, 24)) -> NDArray[np.uint8]:
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def volume_file(path: Path, seed: int, shape: tuple[int, ...] = (5, 12, 14)) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).uniform(0, 900, shape).astype(np.float32)
    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing((1.5, 1.25, 4.0)[: len(shape)])
    SimpleITK.WriteImage(image, str(path))
    return values


def test_pictures_keep_their_grey_levels(dicomnode: Command, tmp_path: Path) -> None:
    a, b = grey(tmp_path / "a.png", 1), grey(tmp_path / "b.png", 2)
    answer = dicomnode("blend", "a.png", "b.png", "--out", "f.png", "--method", "maximum", "--json")
    assert answer.code == 0
    assert answer.values["path"] == "f.png"
    with Image.open(tmp_path / "f.png") as picture:
        assert picture.mode == "L"
        np.testing.assert_array_equal(np.asarray(picture), np.maximum(a, b))
    metrics = dicomnode("metrics", "a.png", "b.png", "f.png", "--json").values
    assert list(metrics["metrics"]) == list(METRICS)
    assert metrics["metrics"]["OOE0"] == 0
    unit = [torch.from_numpy(np.float32(image) / 255) for image in (a, b, np.maximum(a, b))]
    expected = measure(unit[0], unit[1], unit[2])
    assert metrics["metrics"] == pytest.approx(expected, abs=1e-5)


def test_volumes_come_out_on_their_grid(dicomnode: Command, tmp_path: Path) -> None:
    a, b = volume_file(tmp_path / "a.nii.gz", 1), volume_file(tmp_path / "b.mha", 2)
    windows = ("--fixed-window", "0,1000", "--moved-window", "0,1000")
    code = dicomnode(
        "blend",
        "a.nii.gz",
        "b.mha",
        "--out",
        "f.nrrd",
        "--method",
        "weighted_sum",
        "--parameter",
        "fixed_weight=0.25",
        *windows,
    ).code
    assert code == 0
    image = SimpleITK.ReadImage(str(tmp_path / "f.nrrd"))
    assert image.GetSpacing() == (1.5, 1.25, 4.0)
    np.testing.assert_allclose(SimpleITK.GetArrayFromImage(image), (0.25 * a + 0.75 * b) / 1000, atol=1e-5)
    answer = dicomnode(
        "metrics",
        "a.nii.gz",
        "b.mha",
        "f.nrrd",
        "--metric",
        "OOE0",
        "--metric",
        "flicker",
        "--dimensions",
        "3",
        "--json",
        *windows,
    )
    assert answer.values["metrics"] == {"OOE0": 0, "flicker": 0}
    assert answer.values["windows"] == [[0, 1000], [0, 1000], [0, 1]]
    assert "flicker" in dicomnode("metrics", "a.nii.gz", "b.mha", "f.nrrd", "--metric", "flicker").stdout


def test_the_hue_of_a_source_is_added_and_the_brightness_stays(dicomnode: Command, tmp_path: Path) -> None:
    colours = RANDOM.integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "pet.png")
    grey(tmp_path / "mr.png", 2)
    for extra in ((), ("--colour",)):
        name = f"f{len(extra)}.png"
        assert dicomnode("blend", "pet.png", "mr.png", "--out", name, "--method", "average", *extra).code == 0
    with Image.open(tmp_path / "f0.png") as plain, Image.open(tmp_path / "f1.png") as hued:
        assert (plain.mode, hued.mode) == ("L", "RGB")
        difference = np.asarray(hued.convert("L"), dtype=int) - np.asarray(plain, dtype=int)
        assert np.abs(difference).max() <= 1
        assert np.ptp(np.asarray(hued, dtype=int), axis=-1).mean() > 20


@given(st.integers(0, 255), st.tuples(*[st.integers(0, 255)] * 3))
def test_a_hue_within_gamut_changes_no_brightness(level: int, colour: tuple[int, int, int]) -> None:
    mixed = coloured(np.array([[float(level)]]), np.array([[colour]], dtype=np.uint8))
    assert abs(int(np.rint(mixed[0, 0] @ LUMA)) - level) <= 1
    same = coloured(np.array([[float(np.array(colour) @ LUMA)]]), np.array([[colour]], dtype=np.uint8))
    assert np.abs(same[0, 0].astype(int) - np.array(colour)).max() <= 1


def test_files_of_one_plane_are_pictures(dicomnode: Command, tmp_path: Path) -> None:
    volume_file(tmp_path / "a.mha", 1, (9, 11))
    volume_file(tmp_path / "b.nii.gz", 2, (1, 9, 11))
    flat = load_aligned(tmp_path / "a.mha")
    assert flat.flat
    assert flat.volume.grid.shape == (1, 9, 11)
    assert flat.volume.grid.spacing_mm == (1.0, 1.25, 1.5)
    assert dicomnode("blend", "a.mha", "b.nii.gz", "--out", "f.png", "--method", "average").code == 0
    with Image.open(tmp_path / "f.png") as picture:
        assert picture.size == (11, 9)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("blend", "a.png", "b.png", "--out", "f.png", "--method", "maxmum"), 2, "maximum"),
        (("blend", "a.png", "b.png", "--out", "f.png", "--method", "average", "--parameter", "x"), 2, "NAME=VALUE"),
        (("blend", "a.png", "b.png", "--out", "f.png", "--method", "average", "--colour"), 2, "both are grey"),
        (
            ("blend", "a.png", "b.png", "--out", "f.png", "--method", "display", "--parameter", "lift=true"),
            2,
            "finite number",
        ),
        (("blend", "a.png", "b.png", "--out", "f.png", "--method", "dwt", "--parameter", "levels=2.5"), 2, "whole"),
        (("blend", "a.png", "b.png", "--out", "f.jpg", "--method", "average"), 2, ".png"),
        (("blend", "a.png", "b.png", "--out", "f", "--method", "average"), 1, "neither DICOM"),
        (("blend", "a.png", "small.png", "--out", "f.png", "--method", "average"), 1, "one size"),
        (("blend", "a.png", "none.png", "--out", "f.png", "--method", "average"), 1, "no file"),
        (("blend", "a.png", "bad.png", "--out", "f.png", "--method", "average"), 1, "cannot be read"),
        (("blend", "a.png", "b.png", "--out", "no/f.png", "--method", "average"), 1, "folder"),
        (("blend", "v.mha", "v.mha", "--out", "f.png", "--method", "average"), 1, "one slice"),
        (("metrics", "a.png", "b.png", "small.png"), 1, "one grid"),
        (("metrics", "v.mha", "v.mha", "v.mha"), 2, "--fused-window"),
        (("metrics", "a.png", "b.png", "a.png", "--metric", "Q"), 2, "Qabf"),
        (("metrics", "a.png", "b.png", "a.png", "--fixed-window", "five"), 2, "LOWER,UPPER"),
    ],
)
def test_what_is_wrong_is_said(
    dicomnode: Command, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    grey(tmp_path / "a.png", 1)
    grey(tmp_path / "b.png", 2)
    grey(tmp_path / "small.png", 2, (5, 6))
    volume_file(tmp_path / "v.mha", 1)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    answer = dicomnode(*arguments)
    assert answer.code == code, answer.stderr
    assert said in answer.stderr
