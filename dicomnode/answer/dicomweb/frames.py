"""Single frames of a file, without reading the others: as they are stored, or uncompressed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames, get_frame
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian

from storage.errors import UnknownRecordError

from ...errors import UndecodableError
from .json_model import DEFERRED_BYTES, PIXELS

ANY = "*"


@dataclass(frozen=True, slots=True)
class Frames:
    """The pixels of one file: how many frames, and in which transfer syntax."""

    path: Path
    header: Dataset
    tag: int

    @classmethod
    def of(cls, path: Path) -> "Frames":
        """Raises `UnknownRecordError` where the instance has no pixels."""
        header = dcmread(path, defer_size=DEFERRED_BYTES)
        tag = next((tag for tag in PIXELS if tag in header), None)
        if tag is None:
            raise UnknownRecordError("the instance has no pixels")
        return cls(path, header, tag)

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.header.get("NumberOfFrames") or 1)

    @property
    def syntax(self) -> UID:
        """As the file is stored."""
        return UID(self.header.file_meta.TransferSyntaxUID)

    def check(self, numbers: Sequence[int]) -> None:
        """Raises `UnknownRecordError` for a frame that does not exist; the first is 1."""
        for number in numbers:
            if not 1 <= number <= self.count:
                raise UnknownRecordError(f"there is no frame {number}; there are {self.count}")

    def encoded(self, numbers: Sequence[int], wanted: str) -> Iterator[tuple[str, bytes]]:
        """Transfer syntax and bytes of each: as stored where that is `wanted`, else Explicit VR Little Endian.

        Raises `UndecodableError` where nothing decodes it.
        """
        if self.syntax.is_encapsulated and wanted in (ANY, str(self.syntax)):
            yield from ((str(self.syntax), self._fragment(number)) for number in numbers)
        elif self._lies_plainly():
            yield from ((str(ExplicitVRLittleEndian), self._slice(number)) for number in numbers)
        else:
            yield from ((str(ExplicitVRLittleEndian), _little_endian(self.array(number))) for number in numbers)

    def array(self, number: int, *, raw: bool = True) -> Any:
        """The decoded frame; `raw` False: colours as RGB. Raises `UndecodableError`."""
        try:
            return next(iter(iter_pixels(self.path, indices=[number - 1], raw=raw)))
        except Exception as error:  # the decoders raise whatever their parts raise on bytes of any kind
            raise UndecodableError(f"the pixels cannot be decoded from {self.syntax.name}") from error

    def _lies_plainly(self) -> bool:
        """Whether a frame is a slice of the file as it is."""
        swapped = self.syntax in (ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
        return not self.syntax.is_compressed and not swapped and int(self.header.BitsAllocated) % 8 == 0

    def _slice(self, number: int) -> bytes:
        header = self.header
        size = int(header.Rows) * int(header.Columns) * int(header.BitsAllocated) // 8
        size *= int(header.get("SamplesPerPixel", 1))
        with self.path.open("rb") as file:
            file.seek(self._start() + (number - 1) * size)
            return file.read(size)

    def _start(self) -> int:
        raw: Any = self.header.get_item(self.tag, keep_deferred=True)
        return int(raw.value_tell)

    def _fragment(self, number: int) -> bytes:
        with self.path.open("rb") as opened:
            file: Any = opened
            file.seek(self._start())
            try:
                return bytes(get_frame(file, number - 1, number_of_frames=self.count))
            except (ValueError, IndexError):  # an offset table that lies
                file.seek(self._start())
                for index, frame in enumerate(generate_frames(file, number_of_frames=self.count)):
                    if index == number - 1:
                        return bytes(frame)
        raise UndecodableError(f"frame {number} is not in the file")


def _little_endian(array: Any) -> bytes:
    return bytes(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
