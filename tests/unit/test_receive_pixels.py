"""Pixel data must be as long as the image is large."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels.utils import get_expected_length

from dicomnode.errors import NotParsableError
from dicomnode.receive.framing import Framing
from dicomnode.receive.header import Header
from dicomnode.receive.pixels import check_pixels, native_bytes
from tests.fixtures.dicom_peer import CT, EXPLICIT, JPEG_LOSSLESS, encode_dataset, sample_dataset

JPIP, HEVC, RT_DOSE, SR = "1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.107", "481.2", "88.11"
PREFIX = "1.2.840.10008.5.1.4.1.1."


def header_of(**changes: Any) -> Header:
    return Header(encode_dataset(sample_dataset(**changes), EXPLICIT), explicit=True, little_endian=True)


def framing(length: int | None, fragments: int | None = None) -> Framing:
    return Framing(b"", 0, None if length is None else slice(0, length), fragments)


@given(
    rows=st.integers(1, 600),
    columns=st.integers(1, 300).map(lambda half: half * 2),
    frames=st.integers(1, 20),
    layout=st.sampled_from(
        [
            *(("MONOCHROME2", 1, 1), ("MONOCHROME2", 1, 8), ("MONOCHROME1", 1, 16), ("MONOCHROME2", 1, 32)),
            *(("RGB", 3, 8), ("YBR_FULL", 3, 8), ("YBR_FULL_422", 3, 8), ("PALETTE COLOR", 1, 8)),
        ]
    ),
)
def test_the_length_is_that_of_pydicom(rows: int, columns: int, frames: int, layout: tuple[str, int, int]) -> None:
    photometric, samples, bits = layout
    dataset = sample_dataset(
        rows=rows,
        columns=columns,
        NumberOfFrames=frames,
        PhotometricInterpretation=photometric,
        SamplesPerPixel=samples,
        BitsAllocated=bits,
    )
    header = Header(encode_dataset(dataset, EXPLICIT), explicit=True, little_endian=True)
    assert native_bytes(header) == get_expected_length(dataset, unit="bytes")


def test_shorter_is_cut_short_and_longer_is_padding() -> None:
    header = header_of()
    for length in (48, 49, 1000):
        check_pixels(CT, EXPLICIT, header, framing(length))
    with pytest.raises(NotParsableError, match="48 bytes needed, 47 there"):
        check_pixels(CT, EXPLICIT, header, framing(47))


def test_each_frame_has_a_fragment_but_in_video() -> None:
    header = header_of(NumberOfFrames=3)
    check_pixels(CT, JPEG_LOSSLESS, header, framing(100, fragments=3))
    check_pixels(CT, HEVC, header, framing(100, fragments=1))
    with pytest.raises(NotParsableError, match="2 fragments for 3 frames"):
        check_pixels(CT, JPEG_LOSSLESS, header, framing(100, fragments=2))


def test_only_images_need_to_say_what_their_pixels_are() -> None:
    check_pixels(PREFIX + SR, EXPLICIT, header_of(Rows=None), framing(None))
    check_pixels(PREFIX + RT_DOSE, EXPLICIT, header_of(Rows=None), framing(None))
    check_pixels(CT, JPIP, header_of(), framing(None))
    for keyword in ("Rows", "Columns", "BitsAllocated"):
        with pytest.raises(NotParsableError, match="no pixel data"):
            check_pixels(CT, EXPLICIT, header_of(**{keyword: None}), framing(None))


def test_an_image_may_come_without_its_pixels() -> None:
    check_pixels(CT, EXPLICIT, header_of(), framing(None))
    check_pixels(CT, EXPLICIT, header_of(), framing(0))
    with pytest.raises(NotParsableError, match="48 bytes needed, 2 there"):
        check_pixels(CT, EXPLICIT, header_of(), framing(2))


def test_pixels_without_a_size_are_refused() -> None:
    with pytest.raises(NotParsableError, match="Bits Allocated is absent"):
        check_pixels(CT, EXPLICIT, header_of(BitsAllocated=None), framing(48))
