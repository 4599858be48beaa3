"""Stored values to quantities: rescale, LUT, padding, sign, unused bits, transfer syntaxes."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pydicom.config
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
    SegmentationStorage,
)

from dicomnode.errors import LoadError, NotAVolumeError, UndecodableError, UnreadableFileError
from dicomnode.load import load_series
from fusion.volume import Unit
from tests.fixtures.dicom_series import (
    assert_same_voxels,
    classic_series,
    enhanced,
    itk_series,
    noise,
    nuclear_medicine,
    pet_series,
)


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEGLSLossless,
        JPEG2000Lossless,
    ],
    ids=lambda uid: UID(uid).keyword,
)
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_every_lossless_syntax_gives_the_same_values(syntax: UID, signed: bool, tmp_path: Path) -> None:
    stored = noise((3, 40, 36), low=-900 if signed else 0).astype(np.int16 if signed else np.uint16)
    volume = load_series(classic_series(tmp_path, stored, syntax=syntax, RescaleIntercept="0")).volume
    np.testing.assert_array_equal(volume.voxels.numpy(), stored)


UNKNOWN = UID("1.2.840.10008.1.2.9")


@pytest.mark.parametrize("syntax", [JPEGExtended12Bit, HTJ2KLossless, UNKNOWN])
def test_pixels_that_nothing_decodes_are_refused_by_the_name_of_their_syntax(syntax: UID, tmp_path: Path) -> None:
    paths = classic_series(tmp_path, syntax=RLELossless)
    for path in paths:
        dataset = dcmread(path)
        dataset.file_meta.TransferSyntaxUID = syntax
        dcmwrite(path, dataset, implicit_vr=False, little_endian=True, force_encoding=True)
    with pytest.raises(UndecodableError, match=re.escape(syntax.name)):
        load_series(paths)


def test_pixels_that_end_early_are_refused(tmp_path: Path) -> None:
    def cut(number: int, dataset: Dataset) -> None:
        if number == 3:
            dataset.PixelData = dataset.PixelData[:-20]

    with pytest.raises(UndecodableError, match="cannot be decoded"):
        load_series(classic_series(tmp_path, each=cut))


def test_every_slice_has_its_own_rescale_as_simple_itk_has_it(tmp_path: Path) -> None:
    def each(number: int, dataset: Dataset) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = f"{1 + number / 4}", f"{-100 * number}"

    files = classic_series(tmp_path, modality="MR", each=each)
    volume = load_series(files).volume
    assert volume.unit is Unit.ARBITRARY
    assert_same_voxels(volume, *itk_series(files))


def test_bits_that_are_not_stored_are_not_read(tmp_path: Path) -> None:
    stored = noise(high=4096).astype(np.uint16)
    dirty = stored | np.uint16(0xA000)
    volume = load_series(classic_series(tmp_path, dirty, BitsStored=12, HighBit=11)).volume
    np.testing.assert_array_equal(volume.voxels.numpy(), stored - 1024.0)


def test_a_sign_in_the_twelfth_bit_is_carried_up(tmp_path: Path) -> None:
    stored = noise(low=-2048, high=2048)
    packed = (stored & 0x0FFF).astype(np.uint16).view(np.int16)
    volume = load_series(classic_series(tmp_path, packed, BitsStored=12, HighBit=11, RescaleIntercept="0")).volume
    expected = np.where(stored < -1500, -1024, stored)
    np.testing.assert_array_equal(volume.voxels.numpy(), expected)


@pytest.mark.parametrize(
    ("dtype", "padding", "limit", "written"),
    [
        (np.int16, -2000, None, -2000),
        (np.uint16, 63536, None, 63536),
        (np.int16, -2000, None, 63536),
        (np.int16, -2000, -1990, -1995),
        (np.int16, -1990, -2000, -1995),
    ],
)
def test_padding_was_not_measured(
    dtype: type[Any], padding: int, limit: int | None, written: int, tmp_path: Path
) -> None:
    """Padding as the pixels have it, as the other signedness writes it, and as a range in either order."""
    stored = noise().astype(dtype)
    outside = np.zeros(stored.shape, dtype=bool)
    outside[:, :2] = True
    stored[outside] = np.array([padding if limit is None else written]).astype(np.int64).astype(np.uint16).astype(dtype)

    def each(_number: int, dataset: Dataset) -> None:
        dataset.add_new("PixelPaddingValue", "SS" if padding < 0 else "US", padding)
        if limit is not None:
            dataset.add_new("PixelPaddingRangeLimit", "SS", limit)

    volume = load_series(classic_series(tmp_path, stored, each=each)).volume
    assert volume.valid is not None
    np.testing.assert_array_equal(volume.valid.numpy(), ~outside)
    assert (volume.voxels.numpy()[outside] == -1024).all()
    np.testing.assert_array_equal(volume.voxels.numpy()[~outside], stored[~outside] - 1024.0)


def test_padding_of_an_mr_becomes_zero(tmp_path: Path) -> None:
    stored = noise(low=1)
    stored[:, 0] = 0
    volume = load_series(classic_series(tmp_path, stored, "MR", PixelPaddingValue=0, RescaleIntercept="7")).volume
    assert volume.valid is not None
    assert (volume.voxels[:, 0] == 0).all()
    assert not volume.valid[:, 0].any()
    assert volume.valid[:, 1:].all()


def test_ct_numbers_below_anything_physical_are_outside_of_the_circle(tmp_path: Path) -> None:
    stored = noise()
    stored[:, 0, 0] = -3024
    volume = load_series(classic_series(tmp_path, stored, RescaleIntercept="0")).volume
    assert volume.valid is not None
    assert int((~volume.valid).sum()) == len(stored)
    assert float(volume.voxels.min()) == -1024


def test_a_modality_lut_says_what_the_values_mean(tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor = [2000, 0, 16]
    table["LUTDescriptor"].VR = "US"
    table.ModalityLUTType = "HU"
    table.LUTData = (3 * np.arange(2000, dtype="<u2")).tobytes()
    stored = noise().astype(np.uint16)
    files = classic_series(tmp_path, stored, RescaleSlope=None, RescaleIntercept=None, ModalityLUTSequence=[table])
    volume = load_series(files).volume
    assert volume.unit is Unit.HU
    np.testing.assert_array_equal(volume.voxels.numpy(), 3.0 * stored)


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"RescaleSlope": None, "RescaleIntercept": None}, "There is no rescale"),
        ({"RescaleType": "Z_EFF"}, "Rescale Type is Z_EFF"),
    ],
)
def test_a_ct_without_hounsfield_units_says_so(elements: dict[str, Any], reason: str, tmp_path: Path) -> None:
    volume = load_series(classic_series(tmp_path, **elements)).volume
    assert volume.unit is Unit.ARBITRARY
    assert any(reason in note for note in volume.notes)


def test_monochrome1_keeps_its_values_and_says_so(tmp_path: Path) -> None:
    stored = noise()
    volume = load_series(classic_series(tmp_path, stored, PhotometricInterpretation="MONOCHROME1")).volume
    np.testing.assert_array_equal(volume.voxels.numpy(), stored - 1024.0)
    assert any("MONOCHROME1" in note for note in volume.notes)
    assert volume.inverted_display
    assert volume.noted(["more"]).to("cpu").inverted_display


def test_only_a_whole_series_is_shown_inverted_and_emission_never(tmp_path: Path) -> None:
    def every_other(number: int, dataset: Dataset) -> None:
        dataset.PhotometricInterpretation = f"MONOCHROME{number % 2 + 1}"

    mixed = load_series(classic_series(tmp_path / "mixed", noise(), "MR", each=every_other)).volume
    emission = load_series(pet_series(tmp_path / "pet", PhotometricInterpretation="MONOCHROME1")).volume
    plain = load_series(classic_series(tmp_path / "plain", noise(), "MR")).volume
    assert not any(volume.inverted_display for volume in (mixed, emission, plain))


def test_lossy_compression_in_the_past_is_said(tmp_path: Path) -> None:
    volume = load_series(classic_series(tmp_path, LossyImageCompression="01")).volume
    assert any("with loss" in note for note in volume.notes)


def test_headers_that_break_rules_are_read_and_counted_without_their_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The command line turns pydicom's complaints off for its whole process, which is this one after other tests.
    monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.WARN)
    paths = classic_series(tmp_path)
    raw = paths[0].read_bytes()
    paths[0].write_bytes(raw.replace(b"1.2.3.5\0", b"1.2.X.5\0"))
    for path in paths[1:]:
        path.write_bytes(path.read_bytes().replace(b"1.2.3.5\0", b"1.2.X.5\0"))
    volume = load_series(paths).volume
    assert any("irregularit" in note for note in volume.notes)
    assert not any("1.2.X.5" in note for note in volume.notes)


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "Secondary Captures"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.2"}, "Secondary Captures"),
        ({"SOPClassUID": SegmentationStorage}, "holds labels"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "LOCALIZER: a localiser"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "SCREEN SAVE"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}, "many slices tiled"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "in colour"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "in colour"),
        ({"SeriesType": ["STATIC", "REPROJECTION"]}, "REPROJECTION"),
        ({"Rows": None}, "is not an image"),
        ({"PixelData": None}, "holds no pixel data"),
    ],
)
def test_what_is_no_slice_is_refused_with_the_reason(elements: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(NotAVolumeError, match=reason):
        load_series(classic_series(tmp_path, **elements))


def test_files_that_are_no_dicom_are_named(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear colleague")
    (tmp_path / "like.dcm").write_bytes(b"\x08\x00\x05\x00CS\xff\xff" + bytes(range(40)))
    with pytest.raises(UnreadableFileError, match=r"letter.txt is not a DICOM file"):
        load_series([tmp_path / "letter.txt"])
    with pytest.raises(LoadError):
        load_series([tmp_path / "like.dcm"])
    with pytest.raises(UnreadableFileError, match=r"gone.dcm cannot be read: No such file"):
        load_series([tmp_path / "gone.dcm"])
    with pytest.raises(UnreadableFileError, match="no files"):
        load_series([])


@pytest.mark.parametrize("kept", [50, 150, 300, 700, -100])
def test_a_file_that_is_cut_short_is_refused_wherever_it_ends(kept: int, tmp_path: Path) -> None:
    paths = classic_series(tmp_path)
    paths[2].write_bytes(paths[2].read_bytes()[:kept])
    with pytest.raises(LoadError):
        load_series(paths)


def test_data_sets_without_a_file_header_are_read(tmp_path: Path) -> None:
    paths = classic_series(tmp_path)
    for path in paths:
        bare = Dataset()
        for element in dcmread(path):
            bare.add(element)
        dcmwrite(path, bare, implicit_vr=True, little_endian=True)
        assert path.read_bytes()[:2] == b"\x08\x00"
    np.testing.assert_array_equal(load_series(paths).volume.voxels.numpy(), noise() - 1024.0)


@given(data=st.data())
@settings(max_examples=60)
def test_damaged_bytes_give_a_volume_or_a_reason_and_nothing_else(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    make = data.draw(st.sampled_from([pet_series, rle_series, enhanced_pet, spect]))
    paths = make(folder)
    path = data.draw(st.sampled_from(paths))
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(132, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.sampled_from([0, 1, 44, 48, 65, 255]))
    path.write_bytes(content)
    with suppress(LoadError):
        assert load_series(paths).volume.voxels.isfinite().all()


def rle_series(folder: Path) -> list[Path]:
    return classic_series(folder, syntax=RLELossless)


def enhanced_pet(folder: Path) -> list[Path]:
    return [enhanced(folder, modality="PT")]


def spect(folder: Path) -> list[Path]:
    return [nuclear_medicine(folder)]
