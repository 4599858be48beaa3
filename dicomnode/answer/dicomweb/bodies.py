"""multipart/related (RFC 2387) written and read piece by piece: nothing whole is held but what is small."""

import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

CHUNK = 1 << 20

Part = tuple[str, Iterable[bytes]]
"""Content-Type and content of one part."""


def new_boundary() -> str:
    """One that no content has."""
    return secrets.token_hex(24)


def multipart(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    """The body of the message."""
    for content_type, content in parts:
        yield f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode()
        yield from content
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def file_chunks(path: Path, start: int = 0, length: int | None = None) -> Iterator[bytes]:
    """A file, or `length` bytes from `start` on."""
    with path.open("rb") as file:
        file.seek(start)
        while length is None or length > 0:
            chunk = file.read(CHUNK if length is None else min(CHUNK, length))
            if not chunk:
                return
            if length is not None:
                length -= len(chunk)
            yield chunk


def json_list(items: Iterable[str]) -> Iterator[str]:
    """A JSON array of what is JSON already."""
    yield "["
    for number, item in enumerate(items):
        yield ("," if number else "") + item
    yield "]"
