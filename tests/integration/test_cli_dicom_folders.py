"""`fuse` on folders of small DICOM series: whose voxels it uses, how it names the results, what lies beside them."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.uid import CTImageStorage

from tests.fixtures.command_line import Answer, Command
from tests.fixtures.dicom_series import classic_series
from tests.fixtures.small_pacs import SmallPacs

SHAPE = (12, 32, 32)
CONFIG = """
[recipes.header]
registrar = "identity"
outputs = ["registered_series", "fused_colour", "spatial_registration", "quality_report", "parametric_map"]
"""


def head(shift: float = 0.0) -> NDArray[np.int16]:
    """A head in CT numbers above -1024, `shift` voxels to the side."""
    z, y, x = np.indices(SHAPE).astype(np.float64)
    inside = ((z - 6) / 5) ** 2 + ((y - 16) / 12) ** 2 + ((x - 16 - shift) / 9) ** 2 < 1
    bone = ((z - 5) / 2) ** 2 + ((y - 12) / 3) ** 2 + ((x - 19 - shift) / 2) ** 2 < 1
    return np.where(bone, 1800, np.where(inside, 1064, 24)).astype(np.int16)


def series(folder: Path, uid: str, stored: NDArray[np.int16], frame: str = "1.2.3.5") -> Path:
    """A CT series with the same names whenever it is written with the same `uid`."""

    def name(number: int, dataset: pydicom.Dataset) -> None:
        dataset.SOPInstanceUID = f"{uid}.{number + 1}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID

    classic_series(
        folder,
        stored,
        spacing_mm=(4.0, 4.0),
        step_mm=6.0,
        each=name,
        SeriesInstanceUID=uid,
        FrameOfReferenceUID=frame,
        AcquisitionDate="20260112",
        AcquisitionTime="100000",
    )
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "node.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.fixture
def fixed(tmp_path: Path) -> Path:
    return series(tmp_path / "fixed", "1.2.840.1", head())


def fuse(dicomnode: Command, config: Path, out: Path, *folders: Path, recipe: str = "header") -> Answer:
    return dicomnode("fuse", *folders, "--out", out, "--config", config, "--recipe", recipe, "--json")


@pytest.mark.parametrize("twice", [(0, 1), (1, 2)], ids=["fixed and moving", "two movings"])
def test_two_inputs_of_one_series_are_2_and_never_one_volume(
    dicomnode: Command, config: Path, tmp_path: Path, twice: tuple[int, int]
) -> None:
    uids = ["1.2.840.1", "1.2.840.2", "1.2.840.3"]
    uids[twice[1]] = uids[twice[0]]
    folders = [series(tmp_path / str(n), uid, head(2.0 * n), f"1.2.3.{n}") for n, uid in enumerate(uids)]
    answer = fuse(dicomnode, config, tmp_path / "out", *folders)
    assert answer.code == 2
    assert f"are the same series ({uids[twice[0]]})" in answer.stderr
    assert answer.stdout == ""


def written(answer: Answer) -> dict[str, dict[str, pydicom.Dataset]]:
    """What `fuse` wrote, by kind and SOP Instance UID."""
    found: dict[str, dict[str, pydicom.Dataset]] = {}
    for output in answer.values["outputs"]:
        for path in sorted(Path(output["path"]).glob("*.dcm")):
            instance = pydicom.dcmread(path)
            found.setdefault(output["kind"], {})[str(instance.SOPInstanceUID)] = instance
    return found


def test_the_same_files_give_the_same_names_and_other_pixels_give_others(
    dicomnode: Command, config: Path, tmp_path: Path, fixed: Path
) -> None:
    """The sources keep their UIDs in all three."""
    moving = series(tmp_path / "moving", "1.2.840.2", head(1.0), "1.2.3.6")
    changed = series(tmp_path / "changed", "1.2.840.2", head(1.0) + np.int16(1), "1.2.3.6")
    first, again, other = (
        written(fuse(dicomnode, config, tmp_path / f"out{number}", fixed, each))
        for number, each in enumerate((moving, moving, changed))
    )
    assert first.keys() >= {"registered_series", "fused_colour", "quality_report"}
    for kind, instances in first.items():
        assert instances.keys() == again[kind].keys(), kind
        for uid, instance in instances.items():
            assert instance.get("PixelData") == again[kind][uid].get("PixelData"), kind
        assert not instances.keys() & other[kind].keys(), kind
        series_uids = [{str(one.SeriesInstanceUID) for one in each[kind].values()} for each in (first, other)]
        assert not series_uids[0] & series_uids[1], kind


def test_nothing_of_an_earlier_run_lies_beside_a_rejection(
    dicomnode: Command, config: Path, tmp_path: Path, fixed: Path
) -> None:
    out = tmp_path / "out"
    constant = series(tmp_path / "constant", "1.2.840.2", np.full(SHAPE, 1024, dtype=np.int16), "1.2.3.6")
    for name in ("01-registered_series/00001.dcm", "02-fused_colour/00012.dcm", "transform-02.tfm", "mine.txt"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("of an earlier run", encoding="utf-8")
    answer = fuse(dicomnode, config, out, fixed, constant)
    assert answer.code == 3
    assert answer.values["verdict"] == "reject"
    kinds = {path.name.partition("-")[2] for path in out.iterdir() if path.is_dir()}
    assert kinds == {"quality_report"}
    assert {path.name for path in out.iterdir() if path.is_file()} == {"report.json", "transform-01.tfm", "mine.txt"}


def test_blend_of_two_series_is_a_fused_series_and_its_quality_objects(dicomnode: Command, tmp_path: Path) -> None:
    """Nothing is registered: the headers say where the images lie, and a doubt about them is the exit code."""
    # Large enough that the words on the pictures leave most of the head free.
    stored = [head(shift)[::3].repeat(4, axis=1).repeat(4, axis=2) for shift in (0.0, 2.0)]
    folders = [series(tmp_path / f"{number}", f"1.2.840.{number}", each) for number, each in enumerate(stored)]
    answer = dicomnode("blend", *folders, "--out", tmp_path / "out", "--method", "maximum", "--json")
    assert answer.code == {"accept": 0}.get(answer.values["verdict"], 3)
    assert (answer.values["method"], answer.values["path"]) == ("maximum", str(tmp_path / "out"))
    kinds = [output["kind"] for output in answer.values["outputs"]]
    assert kinds == ["fused_colour", "quality_report", "quality_report"]
    lower, upper = answer.values["parameters"]["fixed_window"]
    hu = np.maximum(*stored).astype(np.float64) - 1024
    expected = np.clip((hu - lower) / (upper - lower), 0, 1) * 255
    fused = sorted(written(answer)["fused_colour"].values(), key=lambda instance: instance.ImagePositionPatient[2])
    assert len(fused) == len(hu)
    assert {str(instance.FrameOfReferenceUID) for instance in fused} == {"1.2.3.5"}
    pixels = np.stack([instance.pixel_array for instance in fused]).astype(np.float64)
    for tissue in (hu > 700, hu == 40, hu == -1000):
        assert np.median(np.abs(pixels.mean(axis=-1) - expected)[tissue]) <= 1


def test_blend_of_two_series_goes_into_a_folder(dicomnode: Command, tmp_path: Path, fixed: Path) -> None:
    answer = dicomnode("blend", fixed, fixed, "--out", tmp_path / "f.dcm", "--method", "average")
    assert answer.code == 2
    assert "a folder for DICOM" in answer.stderr


def test_send_leaves_out_what_is_no_dicom_in_a_folder_and_never_what_was_named(
    dicomnode: Command, small_pacs: SmallPacs, tmp_path: Path, fixed: Path
) -> None:
    small_pacs.start([CTImageStorage])
    to = f"{small_pacs.ae_title}@127.0.0.1:{small_pacs.port}"
    (fixed / "README").write_text("read me", encoding="utf-8")
    (fixed / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    answer = dicomnode("send", fixed, "--to", to, "--json")
    assert answer.code == 0
    assert answer.values["sent"] == len(small_pacs.stored) == SHAPE[0]
    assert answer.values["refused"] == {}
    assert "2 of 14 files" in answer.stderr
    assert "DICOMDIR, README" in answer.stderr
    named = dicomnode("send", fixed / "README", "--to", to, "--json")
    assert named.code == 1
    assert list(named.values["refused"]) == [str(fixed / "README")]
