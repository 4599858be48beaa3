"""PDUs off a socket (PS3.8 chapter 9.3), with as little work a byte as can be, in memory that the peer cannot grow."""

import socket
import struct
from contextlib import suppress

from ..errors import NodeError

A_ASSOCIATE_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ = 0x01, 0x02, 0x03
P_DATA_TF, A_RELEASE_RQ, A_RELEASE_RP, A_ABORT = 0x04, 0x05, 0x06, 0x07
HEAD = struct.Struct(">BxL")
"""PDU type, reserved, length of what follows."""

MAX_CONTROL_BYTES = 1 << 20
"""Longest PDU that is no P-DATA: an A-ASSOCIATE-RQ with 128 contexts of 50 transfer syntaxes has 400 kB."""

SMALL_BYTES = 16
"""Release and abort have 4."""

RELEASE_RP = HEAD.pack(A_RELEASE_RP, 4) + bytes(4)


class ProtocolError(NodeError):
    """The peer sent what no PDU may hold; `reason` is that of PS3.8 table 9-26."""

    def __init__(self, message: str, reason: int = 0) -> None:
        super().__init__(message)
        self.reason = reason


UNRECOGNISED_PDU, UNEXPECTED_PDU, UNRECOGNISED_PARAMETER, INVALID_PARAMETER = 1, 2, 4, 6


class PduStream:
    """Reads one PDU after the other from `connection`; what is returned is valid until the next call.

    `max_pdu_bytes` is the largest P-DATA that was allowed to the peer. Raises `ProtocolError` for a PDU that is longer
    or of no known type, before anything of it is kept; `EOFError` when the peer is gone; `TimeoutError`.
    """

    def __init__(self, connection: socket.socket, max_pdu_bytes: int) -> None:
        self._connection = connection
        self._max_pdu_bytes = max_pdu_bytes
        self._buffer = bytearray(HEAD.size + max_pdu_bytes)
        self._have = 0
        self._used = 0
        self._is_tcp = connection.family in (socket.AF_INET, socket.AF_INET6)

    def next(self) -> tuple[int, memoryview]:
        """The type of the next PDU and what follows its head."""
        self._drop_used()
        self._fill(HEAD.size)
        kind, length = HEAD.unpack_from(self._buffer)
        self._check(kind, length)
        whole = HEAD.size + length
        if whole > len(self._buffer):
            self._buffer = self._buffer[: self._have] + bytes(whole - self._have)  # not resized: a view may be out
        self._fill(whole)
        self._used = whole
        return kind, memoryview(self._buffer)[HEAD.size : whole]

    def _check(self, kind: int, length: int) -> None:
        if kind == P_DATA_TF:
            limit = self._max_pdu_bytes
        elif kind in (A_ASSOCIATE_RQ, A_ASSOCIATE_AC):
            limit = MAX_CONTROL_BYTES
        elif kind in (A_ASSOCIATE_RJ, A_RELEASE_RQ, A_RELEASE_RP, A_ABORT):
            limit = SMALL_BYTES
        else:
            raise ProtocolError(f"there is no PDU of type {kind:02X}", UNRECOGNISED_PDU)
        if length > limit:
            raise ProtocolError(
                f"a PDU of type {kind:02X} announces {length} bytes; {limit} are allowed", INVALID_PARAMETER
            )

    def _drop_used(self) -> None:
        if self._used:
            rest = self._have - self._used
            if rest:
                self._buffer[:rest] = self._buffer[self._used : self._have]
            self._have, self._used = rest, 0

    def _fill(self, wanted: int) -> None:
        with memoryview(self._buffer) as view:
            while self._have < wanted:
                count = self._connection.recv_into(view[self._have :])
                if count == 0:
                    raise EOFError("the peer closed the connection")
                self._have += count
                if self._is_tcp:
                    acknowledge_at_once(self._connection)


def acknowledge_at_once(connection: socket.socket) -> None:
    """No delayed acknowledgement for what just came: a sender with Nagle's algorithm waits 40 ms for it otherwise.

    Linux forgets the option, so it is set again after each read.
    """
    with suppress(OSError, AttributeError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def abort_pdu(reason: int, *, by_provider: bool = True) -> bytes:
    """A-ABORT (PS3.8 9.3.8)."""
    return HEAD.pack(A_ABORT, 4) + bytes((0, 0, 2 if by_provider else 0, reason if by_provider else 0))
