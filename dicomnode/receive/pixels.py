"""Whether the pixel data is as long as the header says, without decoding it (PS3.5 chapter 8, annex A)."""

from ..errors import NotParsableError
from ..network.sop_classes import IMAGE_CLASSES, REFERENCING_SYNTAXES, VIDEO_SYNTAXES
from .framing import Framing
from .header import Header

DESCRIPTION = ("Rows", "Columns", "BitsAllocated")


def check_pixels(sop_class_uid: str, transfer_syntax_uid: str, header: Header, framing: Framing) -> None:
    """Raise `NotParsableError` when pixel data is shorter than the image; longer is padding.

    An image may come without pixels, or with none in their element, when its header says what they would be: some
    devices send such. Nothing tells it from one that was cut off right there.
    """
    if transfer_syntax_uid in REFERENCING_SYNTAXES:
        return
    if framing.pixels is None:
        if sop_class_uid in IMAGE_CLASSES and not all(header.has(keyword) for keyword in DESCRIPTION):
            raise NotParsableError("the image is cut short: there is no pixel data, nor its description")
        return
    if framing.pixels.start == framing.pixels.stop:
        return
    if framing.fragments is None:
        _check_native(header, framing.pixels.stop - framing.pixels.start)
    elif transfer_syntax_uid not in VIDEO_SYNTAXES:
        _check_fragments(header, framing.fragments)


def _check_native(header: Header, there: int) -> None:
    needed = native_bytes(header)
    if there < needed:
        raise NotParsableError(f"the pixel data is cut short: {needed} bytes needed, {there} there")


def _check_fragments(header: Header, there: int) -> None:
    frames = header.number("NumberOfFrames") or 1
    if there < frames:
        raise NotParsableError(f"the pixel data is cut short: {there} fragments for {frames} frames")


def native_bytes(header: Header) -> int:
    """The length of uncompressed pixel data without padding. Raises `NotParsableError` when the header cannot say."""
    rows, columns, bits = (header.number(keyword) for keyword in ("Rows", "Columns", "BitsAllocated"))
    if rows is None or columns is None or bits is None:
        raise NotParsableError("there is pixel data, but Rows, Columns or Bits Allocated is absent")
    samples = rows * columns * (header.number("SamplesPerPixel") or 1) * (header.number("NumberOfFrames") or 1)
    if header.text("PhotometricInterpretation") == "YBR_FULL_422":
        samples = samples * 2 // 3  # two pixels share their chroma (PS3.3 C.7.6.3.1.2)
    return (samples * bits + 7) // 8
