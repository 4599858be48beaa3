"""Reads the parts of a multipart message one after the other, whatever its size (RFC 2046 5.1)."""

from collections.abc import Iterator
from email.message import Message
from typing import Protocol

from ..errors import PeerRefusedError

CHUNK = 1 << 16
LONGEST_HEAD = 1 << 16


class Readable(Protocol):
    """What an HTTP response is."""

    def read(self, amount: int, /) -> bytes: ...


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type names. Raises `PeerRefusedError` when it is no multipart message."""
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_boundary()
    if message.get_content_maintype() != "multipart" or not boundary:
        raise PeerRefusedError(f"the answer is {content_type or 'of no type'}, not multipart")
    return boundary.encode("ascii", "replace")


def parts(body: Readable, boundary: bytes, most_bytes: int) -> Iterator[bytearray]:
    """The content of each part. Raises `PeerRefusedError` when one is larger than `most_bytes`, or cut short."""
    delimiter = b"\r\n--" + boundary
    buffer = bytearray(b"\r\n")  # the first delimiter may stand at the very beginning
    _up_to(buffer, body, delimiter, most_bytes)
    while True:
        while len(buffer) < 2:
            _more(buffer, body)
        if buffer[:2] == b"--":
            return
        head = _up_to(buffer, body, b"\r\n\r\n", LONGEST_HEAD)
        if not head.startswith(b"\r\n"):  # a delimiter ends with its line
            head = head.split(b"\r\n", 1)[-1]
        yield _up_to(buffer, body, delimiter, most_bytes)


def _up_to(buffer: bytearray, body: Readable, mark: bytes, most_bytes: int) -> bytearray:
    """What stands before `mark`; both are taken off the buffer."""
    searched = 0
    while (at := buffer.find(mark, searched)) < 0:
        searched = max(0, len(buffer) - len(mark) + 1)
        if searched > most_bytes:
            raise PeerRefusedError(f"a part of the answer is larger than {most_bytes} bytes")
        _more(buffer, body)
    before = buffer[:at]
    del buffer[: at + len(mark)]
    return before


def _more(buffer: bytearray, body: Readable) -> None:
    chunk = body.read(CHUNK)
    if not chunk:
        raise PeerRefusedError("the answer is cut short")
    buffer += chunk
