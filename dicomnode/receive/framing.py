"""Whether an encoded data set is whole: every length must fit exactly, to the last byte (PS3.5 chapter 7, A.4).

pydicom reads what is there and is silent about what is missing; an archive that answers Success must know. Values
are not looked at, only tags, VRs and lengths.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from storage.records import EncodedBytes

from ..errors import NotParsableError

UNDEFINED = 0xFFFFFFFF
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
SHORT_VRS = frozenset(
    (
        *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN"),
        *(b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
    )
)
MAX_DEPTH = 64
"""Deeper than any IOD nests, far from Python's limit."""
MAX_INFLATED_BYTES = 4 << 30
"""What a deflated data set may grow to, so that a small one cannot fill the memory."""


class Element(NamedTuple):
    """Where the value of an element lies, and its VR (empty when implicit)."""

    vr: bytes
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Framing:
    """Where the parts of a whole data set lie.

    `body` is the data set, inflated; its bytes before `header_end` hold the elements ahead of the pixel data,
    `pixels` the value of the pixel data (None: there is none). `fragments` counts those of encapsulated pixel data
    without the offset table (None: native). `elements` are those on top, ahead of the pixel data, by tag.
    """

    body: EncodedBytes = field(repr=False)
    header_end: int
    pixels: slice | None = None
    fragments: int | None = None
    elements: Mapping[int, Element] = field(default_factory=dict, repr=False)


def frame(dataset: EncodedBytes, *, explicit: bool, little_endian: bool, deflated: bool) -> Framing:
    """Walk `dataset` to its end. Raises `NotParsableError` where something does not fit."""
    body = _inflate(dataset) if deflated else dataset
    walk = _Walk(body, explicit=explicit, little_endian=little_endian)
    walk.elements(0, len(body), depth=0, open_ended=False)
    header_end = len(body) if walk.header_end is None else walk.header_end
    return Framing(body, header_end, walk.pixels, walk.fragments, walk.top)


def _inflate(dataset: EncodedBytes) -> bytes:
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        body = inflater.decompress(dataset, MAX_INFLATED_BYTES)
    except zlib.error as error:
        raise NotParsableError("the deflated data set cannot be inflated") from error
    if not inflater.eof:
        raise NotParsableError("the deflated data set is cut short")
    return body


class _Walk:
    """One pass over the elements of one encoding."""

    def __init__(self, body: EncodedBytes, *, explicit: bool, little_endian: bool) -> None:
        order = "<" if little_endian else ">"
        self._body = body
        self._explicit = explicit
        self._implicit_head = struct.Struct(f"{order}HHL").unpack_from
        self._explicit_head = struct.Struct(f"{order}HH2sH").unpack_from
        self._long_length = struct.Struct(f"{order}L").unpack_from
        self.header_end: int | None = None
        self.pixels: slice | None = None
        self.fragments: int | None = None
        self.top: dict[int, Element] = {}

    def elements(self, at: int, end: int, *, depth: int, open_ended: bool) -> int:
        """Read elements up to `end`, or to the item's delimiter when `open_ended`; where the next thing starts."""
        if depth > MAX_DEPTH:
            raise NotParsableError(f"sequences are nested deeper than {MAX_DEPTH}")
        while at < end:
            self._need(at, 8, end)
            group, element = self._implicit_head(self._body, at)[:2]
            tag = group << 16 | element
            if open_ended and tag == ITEM_END:
                return at + 8
            if depth == 0:
                self._look_at(tag, at)
            at = self._element(tag, at, end, depth)
        if open_ended:
            raise NotParsableError("an item of undefined length is not closed")
        return at

    def _look_at(self, tag: int, at: int) -> None:
        if tag < 0x00040000 or tag >> 16 == 0xFFFE:
            raise NotParsableError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) has no place in a data set")
        if tag in PIXEL_TAGS and self.header_end is None:
            self.header_end = at

    def _element(self, tag: int, at: int, end: int, depth: int) -> int:
        vr, length, value = self._head(tag, at, end)
        if length == UNDEFINED:
            after = self._open_ended(tag, vr, value, end, depth)
        else:
            self._need(value, length, end, tag)
            after = value + length
            if vr == b"SQ":
                self._items(value, after, depth, open_ended=False)
        if depth == 0:
            if tag in PIXEL_TAGS:
                self.pixels = slice(value, after)
            elif self.header_end is None:
                self.top[tag] = Element(vr, value, after)
        return after

    def _head(self, tag: int, at: int, end: int) -> tuple[bytes, int, int]:
        """VR (empty when implicit), length, and where the value starts."""
        if not self._explicit:
            return b"", self._implicit_head(self._body, at)[2], at + 8
        vr, length = self._explicit_head(self._body, at)[2:]
        if vr in SHORT_VRS:
            return vr, length, at + 8
        if vr not in LONG_VRS:
            raise NotParsableError(f"{_name(tag)} has no value representation of the standard")
        self._need(at, 12, end, tag)
        return vr, self._long_length(self._body, at + 8)[0], at + 12

    def _open_ended(self, tag: int, vr: bytes, value: int, end: int, depth: int) -> int:
        if vr in (b"OB", b"OW") and tag in PIXEL_TAGS:  # an icon may be encapsulated too
            after, fragments = self._encapsulated(value, end)
            self.fragments = fragments if depth == 0 else self.fragments
            return after
        if vr in (b"SQ", b""):
            return self._items(value, end, depth, open_ended=True)
        if vr == b"UN":  # encoded as implicit VR little endian, whatever is around it (PS3.5 6.2.2 note 4)
            inner = _Walk(self._body, explicit=False, little_endian=True)
            return inner._items(value, end, depth, open_ended=True)
        raise NotParsableError(f"{_name(tag)} must have a defined length")

    def _items(self, at: int, end: int, depth: int, *, open_ended: bool) -> int:
        while at < end:
            tag, length = self._item_head(at, end)
            at += 8
            if tag == SEQUENCE_END and open_ended:
                return at
            if tag != ITEM:
                raise NotParsableError(f"{_name(tag)} where an item of a sequence must be")
            if length == UNDEFINED:
                at = self.elements(at, end, depth=depth + 1, open_ended=True)
            else:
                self._need(at, length, end, tag)
                at = self.elements(at, at + length, depth=depth + 1, open_ended=False)
        if open_ended:
            raise NotParsableError("a sequence of undefined length is not closed")
        return at

    def _encapsulated(self, at: int, end: int) -> tuple[int, int]:
        """Where the next thing starts, and how many fragments follow the offset table."""
        items = 0
        while at < end:
            tag, length = self._item_head(at, end)
            at += 8
            if tag == SEQUENCE_END:
                if items == 0:
                    raise NotParsableError("the encapsulated pixel data has no offset table")
                return at, items - 1
            if tag != ITEM or length == UNDEFINED:
                raise NotParsableError(f"{_name(tag)} where a fragment of the pixel data must be")
            self._need(at, length, end, tag)
            at += length
            items += 1
        raise NotParsableError("the encapsulated pixel data is cut short: its sequence delimiter is missing")

    def _item_head(self, at: int, end: int) -> tuple[int, int]:
        self._need(at, 8, end)
        group, element, length = self._implicit_head(self._body, at)
        return group << 16 | element, length

    def _need(self, at: int, length: int, end: int, tag: int | None = None) -> None:
        if at + length > end:
            what = "an element" if tag is None else _name(tag)
            raise NotParsableError(f"{what} at byte {at} is cut short: {length} bytes announced, {end - at} there")


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
