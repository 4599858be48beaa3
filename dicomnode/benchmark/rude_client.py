"""A sender that keeps to the protocol as far as it wants to, for receivers of any kind: straight to the socket."""

import socket
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from .ingest_client import ACCEPTED, COMMAND_LAST, DATA, DATA_LAST, PDU_BYTES, associate_request, command_set, p_data

PATIENCE_S = 8.0
VERIFICATION = "1.2.840.10008.1.1"
P_DATA, RELEASE, ABORT = 4, 5, 7
STATUS = struct.pack("<HHL", 0, 0x0900, 2)
C_STORE, C_ECHO = 0x0001, 0x0030


class RudeClient:
    """One connection. What it is answered comes as words: a status, "A-ABORT", "closed" or "no answer"."""

    def __init__(self, port: int, patience_s: float = PATIENCE_S) -> None:
        """Raises `OSError` when nobody takes the connection."""
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=patience_s)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(self, data: bytes) -> None:
        """Whatever the other side does meanwhile."""
        with suppress(OSError):
            self.connection.sendall(data)

    def associate(self, sop_class_uid: str, called: str, calling: str = "") -> str:
        """Ask for an association: "accepted", or why not."""
        self.say(associate_request(sop_class_uid, called, calling))
        kind, body = self._pdu()
        if kind == ACCEPTED:
            return "accepted"
        return f"A-ASSOCIATE-RJ reason {body[3]}" if kind == 3 else self._words(kind)

    def store(self, sop_class_uid: str, sop_instance_uid: str, fragments: Iterable[bytes]) -> str:
        """C-STORE; the last fragment is said to be the last, however much there is of the data set."""
        self.say(p_data(COMMAND_LAST, command_set(C_STORE, sop_class_uid, sop_instance_uid)))
        waiting: bytes | None = None
        for fragment in fragments:
            if waiting is not None:
                self.say(p_data(DATA, waiting))
            waiting = fragment
        self.say(p_data(DATA_LAST, waiting or b""))
        return self.answer()

    def echo(self) -> str:
        """C-ECHO."""
        self.say(p_data(COMMAND_LAST, command_set(C_ECHO, VERIFICATION, "")))
        return self.answer()

    def answer(self) -> str:
        """What comes next."""
        kind, body = self._pdu()
        at = body.find(STATUS)
        return f"0x{struct.unpack_from('<H', body, at + 8)[0]:04X}" if kind == P_DATA and at >= 0 else self._words(kind)

    def release(self) -> None:
        """A-RELEASE, and hang up."""
        self.say(struct.pack(">BxLL", RELEASE, 4, 0))
        self._pdu()
        self.connection.close()

    def reset(self) -> None:
        """Hang up with RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _pdu(self) -> tuple[int, bytes]:
        """Type and body; -1 when the connection ends, -2 when nothing comes."""
        try:
            head = self._read(6)
            return (head[0], self._read(int.from_bytes(head[2:], "big"))) if len(head) == 6 else (-1, b"")
        except TimeoutError:
            return -2, b""
        except OSError:
            return -1, b""

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count and (part := self.connection.recv(count - len(data))):
            data += part
        return data

    @staticmethod
    def _words(kind: int) -> str:
        return {ABORT: "A-ABORT", -1: "closed", -2: "no answer"}.get(kind, f"PDU of type {kind}")


def pieces(data: bytes | memoryview) -> Iterator[bytes]:
    """A data set as fragments of the usual size."""
    step = PDU_BYTES - 12
    for at in range(0, len(data), step):
        yield bytes(data[at : at + step])


@contextmanager
def associated(port: int, called: str, sop_class_uid: str) -> Iterator[RudeClient]:
    """An accepted association, hung up at the end. Raises `OSError` when it is not accepted."""
    client = RudeClient(port)
    with client.connection:
        said = client.associate(sop_class_uid, called)
        if said != "accepted":
            raise ConnectionRefusedError(said)
        yield client


def echo_s(port: int, called: str) -> float:
    """Seconds from the connection to the end of a C-ECHO; infinite when it failed."""
    began = time.perf_counter()
    try:
        with associated(port, called, VERIFICATION) as client:
            if client.echo() != "0x0000":
                return float("inf")
            client.release()
    except OSError:
        return float("inf")
    return time.perf_counter() - began
