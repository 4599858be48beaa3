"""A look at what a peer asks for, which leaves it to be read by whoever serves it."""

import socket
import struct
import time
from contextlib import suppress

from ..network.acceptance import Request
from ..network.pdu_stream import A_ASSOCIATE_RQ, HEAD, MAX_CONTROL_BYTES, ProtocolError
from ..network.tls_connection import TlsConnection

SETTLED_S = 1.0
"""How long a connection may take over what should have come already."""

TIMEVAL = struct.Struct("@ll")


def wait_at_most(connection: socket.socket, seconds: float | None) -> None:
    """Bound each read and write. 0: no bound.

    The system does it for plain sockets: cheaper than Python's own time-out, which asks the system twice.
    """
    if isinstance(connection, TlsConnection):
        connection.settimeout(seconds or None)
        return
    whole, part = divmod(seconds or 0, 1)
    value = TIMEVAL.pack(int(whole), int(part * 1e6))
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)


def looked_at(connection: socket.socket) -> Request | None:
    """The request, which is still to be read; None when it is none, which whoever serves it will find."""
    try:
        if isinstance(connection, TlsConnection):
            return _put_back(connection)
        head = connection.recv(HEAD.size, socket.MSG_PEEK | socket.MSG_WAITALL)
        if not _announces_request(head):
            return None
        whole = _peeked(connection, HEAD.size + HEAD.unpack(head)[1])
        return None if whole is None else Request.of(whole)
    except (OSError, ProtocolError):
        return None


def _announces_request(head: bytes | bytearray) -> bool:
    if len(head) < HEAD.size:
        return False
    kind, length = HEAD.unpack_from(head)
    return bool(kind == A_ASSOCIATE_RQ and length <= MAX_CONTROL_BYTES)


def _peeked(connection: socket.socket, wanted: int) -> bytes | None:
    """All of it, or None: a request longer than the socket's buffer never lies there whole."""
    deadline = time.monotonic() + SETTLED_S
    while time.monotonic() < deadline:
        there = connection.recv(wanted, socket.MSG_PEEK | socket.MSG_WAITALL)
        if len(there) == wanted:
            return there
        if not there:
            return None
        time.sleep(0.01)
    return None


def _put_back(connection: TlsConnection) -> Request | None:
    """Read the request, and put back what was read of it."""
    read = bytearray()
    try:
        _read_until(connection, read, HEAD.size)
        if not _announces_request(read):
            return None
        _read_until(connection, read, HEAD.size + HEAD.unpack_from(read)[1])
        return Request.of(bytes(read))
    finally:
        connection.put_back(bytes(read))


def _read_until(connection: TlsConnection, read: bytearray, wanted: int) -> None:
    """Raises `TimeoutError` or another `OSError`; also when the peer is gone."""
    while len(read) < wanted:
        part = connection.recv(wanted - len(read))
        if not part:
            raise ConnectionResetError("the peer closed the connection")
        read += part
