"""A data set is whole or it is refused: no length may reach past the end, at whatever byte it was cut."""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from dicomnode.errors import NotParsableError
from dicomnode.receive.framing import MAX_DEPTH, Framing, frame
from dicomnode.receive.header import Header
from tests.fixtures.dicom_peer import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_LOSSLESS,
    encode_dataset,
    sample_dataset,
    with_pixels,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # as the node is set at start-up

FIXED = sample_dataset(
    SOPInstanceUID="1.2.3", StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.5", FrameOfReferenceUID="1.2.6"
)
SYNTAXES = [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED]


def walk(encoded: bytes, syntax: str = EXPLICIT) -> Framing:
    return frame(encoded, explicit=syntax != IMPLICIT, little_endian=syntax != BIG_ENDIAN, deflated=syntax == DEFLATED)


@st.composite
def datasets(draw: st.DrawFn, depth: int = 2) -> Dataset:
    """Elements of several kinds of length, with sequences of defined and undefined length."""
    dataset = Dataset()
    dataset.PatientComments = draw(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
    dataset.SeriesNumber = draw(st.integers(-1000, 1000))
    dataset.add_new(0x00091001, "UN", draw(st.binary(max_size=12)).ljust(12, b"\0"))
    dataset.add_new(0x00091002, "FD", draw(st.lists(st.floats(allow_nan=False), min_size=1, max_size=3)))
    if depth:
        dataset.ReferencedSeriesSequence = draw(st.lists(datasets(depth - 1), max_size=2))
        dataset["ReferencedSeriesSequence"].is_undefined_length = draw(st.booleans())
        for item in dataset.ReferencedSeriesSequence:
            item.is_undefined_length_sequence_item = draw(st.booleans())
    return dataset


def boundaries(dataset: Dataset, syntax: str) -> set[int]:
    """Where a cut leaves a data set that is whole in itself: between two elements of the top level."""
    ends = {0}
    part = Dataset()
    for element in dataset:
        part.add(element)
        ends.add(len(encode_dataset(part, syntax)))
    return ends


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
@settings(max_examples=30)
@given(dataset=datasets())
def test_every_cut_inside_an_element_is_found(syntax: str, dataset: Dataset) -> None:
    encoded = encode_dataset(dataset, syntax)
    ends = boundaries(dataset, syntax)
    assert walk(encoded, syntax).header_end == len(encoded)
    for keep in range(len(encoded)):
        if keep in ends:
            walk(encoded[:keep], syntax)
        else:
            with pytest.raises(NotParsableError):
                walk(encoded[:keep], syntax)


@settings(max_examples=30)
@given(dataset=datasets())
def test_every_cut_of_a_deflated_data_set_is_found(dataset: Dataset) -> None:
    encoded = encode_dataset(dataset, DEFLATED)
    assert walk(encoded, DEFLATED).body == encode_dataset(dataset, EXPLICIT)
    for keep in range(len(encoded) - 2):
        with pytest.raises(NotParsableError):
            walk(encoded[:keep], DEFLATED)


@given(noise=st.binary(max_size=400), syntax=st.sampled_from(SYNTAXES))
def test_random_bytes_raise_nothing_but_our_error(noise: bytes, syntax: str) -> None:
    try:
        framing = walk(noise, syntax)
        Header(framing.body, explicit=syntax != IMPLICIT, little_endian=syntax != BIG_ENDIAN).attributes()
    except NotParsableError:
        pass


@given(data=st.data(), syntax=st.sampled_from(SYNTAXES))
def test_flipped_bytes_raise_nothing_but_our_error(data: st.DataObject, syntax: str) -> None:
    encoded = bytearray(encode_dataset(with_pixels(FIXED), syntax))
    for place in data.draw(st.lists(st.integers(0, len(encoded) - 1), min_size=1, max_size=4)):
        encoded[place] = data.draw(st.integers(0, 255))
    try:
        framing = walk(bytes(encoded), syntax)
        header = Header(
            framing.body[: framing.header_end], explicit=syntax != IMPLICIT, little_endian=syntax != BIG_ENDIAN
        )
        header.attributes()
        header.numbers("ImagePositionPatient")
    except NotParsableError:
        pass


def test_pixels_are_found_and_the_header_ends_before_them() -> None:
    dataset = with_pixels(sample_dataset())
    encoded = encode_dataset(dataset, EXPLICIT)
    framing = walk(encoded)
    assert framing.pixels is not None
    assert framing.body[framing.pixels] == dataset.PixelData
    assert framing.fragments is None
    del dataset.PixelData
    assert framing.body[: framing.header_end] == encode_dataset(dataset, EXPLICIT)


def test_fragments_are_counted_and_those_of_an_icon_are_not() -> None:
    dataset = with_pixels(sample_dataset(), JPEG_LOSSLESS)
    dataset.IconImageSequence = [with_pixels(sample_dataset(), JPEG_LOSSLESS)]
    framing = walk(encode_dataset(dataset, JPEG_LOSSLESS))
    assert framing.fragments == 1
    assert framing.pixels is not None
    assert framing.pixels.stop == len(framing.body)


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    head = struct.pack("<HH2sxxL", tag >> 16, tag & 0xFFFF, vr, len(value) if length is None else length)
    return head + value


def item(value: bytes = b"", length: int | None = None, tag: int = 0xFFFEE000) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


SEQUENCE_END = item(tag=0xFFFEE0DD)
ITEM_END = item(tag=0xFFFEE00D)
UNDEFINED = 0xFFFFFFFF


def test_an_unknown_sequence_is_implicit_inside_whatever_is_around_it() -> None:
    inside = item(struct.pack("<HHL4s", 0x0009, 0x1001, 4, b"abcd"))
    encoded = element(0x00091010, b"UN", inside + SEQUENCE_END, UNDEFINED)
    assert walk(encoded).header_end == len(encoded)
    with pytest.raises(NotParsableError, match="not closed"):
        walk(encoded[: -len(SEQUENCE_END)])


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (element(0x7FE00010, b"OB", item() + item(b"ab"), UNDEFINED), "sequence delimiter is missing"),
        (element(0x7FE00010, b"OB", SEQUENCE_END, UNDEFINED), "no offset table"),
        (element(0x7FE00010, b"OB", item() + b"xxxxxxxx" + SEQUENCE_END, UNDEFINED), "fragment"),
        (element(0x00081140, b"SQ", item(b"", UNDEFINED), UNDEFINED), "not closed"),
        (element(0x00081140, b"SQ", item(element(0x00081150, b"OB", b"abcd")[:-1])), "cut short"),
        (element(0x00081140, b"SQ", ITEM_END), "where an item"),
        (element(0x00400555, b"OD", b"", UNDEFINED), "defined length"),
        (element(0x00080008, b"??", b""), "value representation"),
        (element(0x00020010, b"OB", b"ab"), "no place"),
        (SEQUENCE_END, "no place"),
    ],
)
def test_what_does_not_fit_is_named(encoded: bytes, reason: str) -> None:
    with pytest.raises(NotParsableError, match=reason):
        walk(encoded)


def nested(depth: int) -> bytes:
    inside = b""
    for _ in range(depth):
        inside = element(0x00081140, b"SQ", item(inside + ITEM_END, UNDEFINED) + SEQUENCE_END, UNDEFINED)
    return inside


def test_a_bottomless_data_set_is_refused_without_exhausting_the_stack() -> None:
    walk(nested(MAX_DEPTH))
    with pytest.raises(NotParsableError, match="deeper"):
        walk(nested(5000))


def test_the_pixels_are_not_printed_with_the_framing() -> None:
    shown: Any = repr(walk(encode_dataset(sample_dataset(), EXPLICIT)))
    assert "Marked" not in shown
