"""The sender of the ingest benchmark, a process of its own: PDUs encoded beforehand, straight to the socket.

Run with PORT CALLED KIND COUNT ASSOCIATIONS; it prints `ready`, waits for a line, sends, and prints what it measured.
TCP_NODELAY is set, one C-STORE is under way in each association.
"""

import json
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass

from .ingest_slices import EXPLICIT_LITTLE_ENDIAN, KINDS, Slice, slices

PDU_BYTES = 128 << 10
CALLING = "BENCHMARK"
P_DATA_HEAD = struct.Struct(">BxLLBB")
ACCEPTED, COMMAND_LAST, DATA, DATA_LAST = 2, 3, 0, 2
STATUS = struct.pack("<HHL", 0, 0x0900, 2)


@dataclass(frozen=True, slots=True)
class Sent:
    """What the client saw: seconds for all, and for each answer in ascending order."""

    wall_s: float
    answer_s: list[float]
    failed: int
    set_up_s: float


def p_data(control: int, part: bytes) -> bytes:
    """One fragment as one PDU (PS3.8 9.3.5)."""
    return P_DATA_HEAD.pack(4, len(part) + 6, len(part) + 2, 1, control) + part


def command_set(field: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """A request; without an instance UID no data set follows (PS3.7 E.1)."""

    def element(number: int, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        return struct.pack("<HHL", 0, number, len(value)) + value

    said = [element(0x0002, sop_class_uid.encode()), element(0x0100, struct.pack("<H", field))]
    said.append(element(0x0110, b"\1\0"))
    if sop_instance_uid:
        said += [element(0x0700, b"\2\0"), element(0x0800, b"\0\0"), element(0x1000, sop_instance_uid.encode())]
    else:
        said.append(element(0x0800, b"\1\1"))
    body = b"".join(said)
    return element(0, struct.pack("<L", len(body))) + body


def store_request(one: Slice) -> bytes:
    """The C-STORE of a slice, command and data set, as it goes over the wire."""
    pdus = [p_data(COMMAND_LAST, command_set(0x0001, one.sop_class_uid, one.sop_instance_uid))]
    step = PDU_BYTES - 12
    for at in range(0, len(one.dataset), step):
        last = at + step >= len(one.dataset)
        pdus.append(p_data(DATA_LAST if last else DATA, one.dataset[at : at + step]))
    return b"".join(pdus)


def associate_request(sop_class_uid: str, called: str, calling: str = "") -> bytes:
    """A request with one context (PS3.8 9.3.2)."""

    def item(kind: int, body: bytes) -> bytes:
        return struct.pack(">BxH", kind, len(body)) + body

    context = item(0x30, sop_class_uid.encode()) + item(0x40, EXPLICIT_LITTLE_ENDIAN.encode())
    user = item(0x51, struct.pack(">L", PDU_BYTES)) + item(0x52, b"1.2.3.4")
    body = b"\0\x01\0\0" + called.encode().ljust(16) + (calling or CALLING).encode().ljust(16) + bytes(32)
    body += item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, b"\x01\0\0\0" + context) + item(0x50, user)
    return struct.pack(">BxL", 1, len(body)) + body


def send(port: int, called: str, requests: list[list[bytes]], sop_class_uid: str) -> Sent:
    """Send each list over an association of its own."""
    answers: list[float] = []
    set_ups: list[float] = []
    failures: list[int] = []

    def run(mine: list[bytes]) -> None:
        began = time.perf_counter()
        with (
            socket.create_connection(("127.0.0.1", port), timeout=120) as connection,
            connection.makefile("rb") as file,
        ):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def ask(said: bytes) -> bytes:
                connection.sendall(said)
                head = file.read(6)
                return head + file.read(int.from_bytes(head[2:], "big"))

            if ask(associate_request(sop_class_uid, called))[0] != ACCEPTED:
                failures.append(len(mine))
                return
            set_ups.append(time.perf_counter() - began)
            for request in mine:
                at = time.perf_counter()
                answer = ask(request)
                answers.append(time.perf_counter() - at)
                if STATUS + b"\0\0" not in answer:
                    failures.append(1)
            ask(struct.pack(">BxLL", 5, 4, 0))

    threads = [threading.Thread(target=run, args=(mine,)) for mine in requests]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Sent(time.perf_counter() - began, sorted(answers), sum(failures), max(set_ups, default=0.0))


def main(port: str, called: str, kind: str, count: str, associations: str) -> None:
    """Encode, wait for the word, send, report."""
    made = slices(KINDS[kind], int(count))
    requests = [store_request(one) for one in made]
    parts = [requests[k :: int(associations)] for k in range(int(associations))]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sent = send(int(port), called, parts, KINDS[kind].sop_class_uid)
    found = {"wall_s": sent.wall_s, "answer_s": sent.answer_s, "failed": sent.failed, "set_up_s": sent.set_up_s}
    sys.stdout.write(json.dumps({**found, "bytes": sum(len(one.dataset) for one in made)}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
