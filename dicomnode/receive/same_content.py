"""Whether two DICOM files say the same, each in its own transfer syntax: equal decoded pixels and an equal header.

Run as a program it answers one question a line, so that whatever a decoder does happens in a process of its own.
"""

import json
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_sequence
from pydicom.pixels.utils import iter_pixels
from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import BaseTag

DEFER = "256 KB"
"""Larger values are read when they are compared, one at a time."""

MEMORY_BYTES = 4 << 30
"""Of address space, code and decoders included: an image that needs more counts as one that cannot be decoded."""

PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
OF_THE_ENCODING = PIXELS | {0x7FE00001, 0x7FE00002, 0x7FE00003, 0xFFFCFFFC}
"""Pixel data and its offset tables, and trailing padding: what each transfer syntax has its own way with."""

OF_THE_COLOURS = frozenset({0x00280004, 0x00280006})
"""Photometric Interpretation and Planar Configuration: colours are compared as RGB, whatever they are kept as."""

UNIT_BYTES = {
    **dict.fromkeys(("US", "SS", "AT", "OW"), 2),
    **dict.fromkeys(("UL", "SL", "FL", "OF", "OL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}
"""What big endian turns round (PS3.5 7.3); an AT is two numbers."""

PADDING = b"\0 "
ITEM = b"\xfe\xff\x00\xe0"

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, OSError, MemoryError)
UNDECODABLE = (*UNREADABLE, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Difference:
    """What two files say differently: keywords (or tags) of the header, and whether the pixels are the same.

    `pixels` is None where nothing here decodes one of them.
    """

    tags: tuple[str, ...]
    pixels: bool | None

    @property
    def is_none(self) -> bool:
        """Whether they say the same."""
        return not self.tags and self.pixels is True


def difference(kept: Path, came: Path) -> Difference:
    """Compare two files of one SOP Instance UID, with at most a frame of each decoded at a time."""
    grey = all(_is_grey(path) for path in (kept, came))
    ours, theirs = (dcmread(path, defer_size=DEFER) for path in (kept, came))
    tags = tuple(_differing(ours, theirs, colour=not grey))
    return Difference(tags, _same_pixels((kept, ours), (came, theirs), grey=grey))


def _is_grey(path: Path) -> bool:
    return (
        int(dcmread(path, specific_tags=["SamplesPerPixel"], stop_before_pixels=True).get("SamplesPerPixel") or 1) == 1
    )


def _differing(ours: Dataset, theirs: Dataset, *, colour: bool) -> Iterator[str]:
    left_out = OF_THE_ENCODING | (OF_THE_COLOURS if colour else frozenset())
    for tag in sorted({*ours.keys(), *theirs.keys()}):
        if tag in left_out or tag.element == 0 or tag.group == 0x0002:
            continue
        if tag not in ours or tag not in theirs or _canonical(ours, tag) != _canonical(theirs, tag):
            yield keyword_for_tag(tag) or f"({tag.group:04X},{tag.element:04X})"


def _canonical(dataset: Dataset, tag: BaseTag) -> bytes:
    """The value in little endian without padding, sequences element by element: the same in every encoding."""
    raw = dataset.get_item(tag)
    if isinstance(raw, RawDataElement) and raw.value is not None and raw.VR != "SQ":
        value = bytes(raw.value)
        return _plain(value if raw.is_little_endian else _swapped(value, UNIT_BYTES.get(raw.VR or "", 1)))
    value = dataset[tag].value
    if isinstance(value, DicomSequence):
        return _items(value)
    return _plain(value if isinstance(value, bytes) else str(value).encode())


def _plain(value: bytes) -> bytes:
    """Without padding; a sequence that implicit VR or UN hides is taken for what it is."""
    if value[:4] == ITEM:
        with suppress(*UNREADABLE):
            return _items(read_sequence(BytesIO(value), True, True, len(value), "iso8859", 0))
    return value.rstrip(PADDING)


def _swapped(value: bytes, unit: int) -> bytes:
    return value if unit == 1 or len(value) % unit else np.frombuffer(value, f">u{unit}").astype(f"<u{unit}").tobytes()


def _items(items: Any) -> bytes:
    return b"".join(
        b"".join((ITEM, *(_tagged(item, tag) for tag in sorted(item.keys()) if tag.element != 0))) for item in items
    )


def _tagged(item: Dataset, tag: BaseTag) -> bytes:
    value = _canonical(item, tag)
    return tag.to_bytes(4, "big") + len(value).to_bytes(8, "big") + value


def _same_pixels(ours: tuple[Path, Dataset], theirs: tuple[Path, Dataset], *, grey: bool) -> bool | None:
    has_pixels = [any(tag in dataset for tag in PIXELS) for _, dataset in (ours, theirs)]
    if not any(has_pixels):
        return True
    if not all(has_pixels):
        return False
    try:
        frames = zip_longest(*(_frames(path, dataset, grey=grey) for path, dataset in (ours, theirs)))
        return all(a is not None and b is not None and np.array_equal(a, b) for a, b in frames)
    except UNDECODABLE:
        return None


def _frames(path: Path, dataset: Dataset, *, grey: bool) -> Iterator[np.ndarray]:
    """From the file, frame by frame; a deflated data set is in memory already."""
    deflated = dataset.file_meta.TransferSyntaxUID.is_deflated
    return iter_pixels(dataset if deflated else path, raw=grey)


def main() -> None:
    """Answer questions (two paths as JSON, a line each) until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for line in sys.stdin:
        kept, came = json.loads(line)
        try:
            answer = asdict(difference(Path(kept), Path(came)))
        except UNDECODABLE as error:
            answer = {"error": type(error).__name__}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
