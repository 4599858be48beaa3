"""What peers do wrong, one function each: it does it to a receiver and says in words what came of it."""

import os
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

from .ingest_receivers import Running
from .ingest_slices import KINDS, Slice, slices
from .rude_client import PATIENCE_S, RudeClient, associated, echo_s, pieces

PET = KINDS["PET"]
ANNOUNCED = 0xFFFFFFF0
FLOOD_BYTES = 64 << 20
ECHOES = 30
COMPARED_S = 60.0
"""A receiver may look at two images of one name before it answers."""

NAMES: tuple[tuple[Any, str], ...] = (
    (None, "Müller^Jörg"),
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
    ("GB18030", "Wang^XiaoDong=王^小东"),
)
"""Names in the character set that is announced, None: UTF-8 that nobody announces."""


@dataclass(frozen=True, slots=True)
class Victim:
    """A receiver that listens, and the folder in which it keeps what it takes. `crowd` is how many come at a time."""

    server: Running
    called: str
    folder: Path
    crowd: int = 20
    many_frames: int = 40
    before: frozenset[Path] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "before", self.files())

    def files(self) -> frozenset[Path]:
        """Everything that lies there, but for databases."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return frozenset(path for path in found if not any(part in path.name for part in ("sqlite", "index", "lock")))

    def kept(self, uid: str) -> str:
        """Whether a new file is that of the instance `uid`, by its name or what it holds."""
        new = self.files() - self.before
        found = any(uid in path.name or uid.encode() in path.read_bytes() for path in new)
        return "kept" if found else "nothing kept"

    def left(self) -> str:
        """What came to lie there since the beginning, when the receiver has had time to clean up."""
        deadline = time.monotonic() + 5
        while (left := len(self.files() - self.before)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return f"{left} files left" if left else "nothing left"

    @contextmanager
    def association(self) -> Iterator[RudeClient]:
        """One for PET slices."""
        with associated(self.server.port, self.called, PET.sop_class_uid) as client:
            yield client


Case = Callable[[Victim], str]


def sent(victim: Victim, one: Slice, dataset: bytes, patience_s: float = PATIENCE_S) -> str:
    """The answer to `dataset` under the name of `one`, whether it was kept, and whether the association went on."""
    with victim.association() as client:
        client.connection.settimeout(patience_s)
        said = client.store(PET.sop_class_uid, one.sop_instance_uid, pieces(dataset))
        after = slices(PET, 1)[0]
        lives = client.store(PET.sop_class_uid, after.sop_instance_uid, pieces(after.dataset)) == "0x0000"
    kept = victim.kept(one.sop_instance_uid)
    return f"{said}, {kept}, association {'lives' if lives else 'over'}"


def cut_in_pixels(victim: Victim) -> str:
    """The last 20 kB are missing, and the last fragment is marked as such."""
    (one,) = slices(PET, 1)
    return sent(victim, one, one.dataset[:-20_000])


def cut_in_header(victim: Victim) -> str:
    """Within an element of the header."""
    (one,) = slices(PET, 1)
    return sent(victim, one, one.dataset[:301])


def random_bytes(victim: Victim) -> str:
    """Instead of a data set."""
    (one,) = slices(PET, 1)
    return sent(victim, one, os.urandom(20_000))


def other_uid(victim: Victim) -> str:
    """The data set is another instance than the command says."""
    one, other = slices(PET, 2)
    return sent(victim, one, other.dataset)


def no_uid(victim: Victim) -> str:
    """The data set does not say which instance it is."""
    (one,) = slices(PET, 1)
    uid = one.sop_instance_uid.encode()
    at = one.dataset.index(struct.pack("<HH2sH", 0x0008, 0x0018, b"UI", len(uid) + len(uid) % 2))
    return sent(victim, one, one.dataset[:at] + one.dataset[at + 8 + len(uid) + len(uid) % 2 :])


def other_pixels(victim: Victim) -> str:
    """Two images under one name."""
    (one,) = slices(PET, 1)
    other = one.dataset[:-400] + bytes(400)
    first = sent(victim, one, one.dataset).partition(",")[0]
    second = sent(victim, one, other, COMPARED_S).partition(",")[0]
    uid = one.sop_instance_uid.encode()
    files = [file for path in victim.files() if uid in (file := path.read_bytes())]
    is_there = [any(dataset[-1000:] in file for file in files) for dataset in (one.dataset, other)]
    found = "both kept" if all(is_there) else f"the {'first' if is_there[0] else 'second'} kept"
    return f"{first}, then {second}; {found}"


def broken_off(victim: Victim) -> str:
    """A-ABORT, RST and FIN while the data set is on its way."""
    for end in ("abort", "reset", "fin"):
        (one,) = slices(PET, 1)
        with victim.association() as client:
            parts = list(pieces(one.dataset))[:1]
            client.connection.settimeout(0.2)
            client.store(PET.sop_class_uid, one.sop_instance_uid, [*parts, *_never(client, end)])
    return victim.left()


def _never(client: RudeClient, end: str) -> Iterator[bytes]:
    """Instead of another fragment: the end."""
    if end == "abort":
        client.say(struct.pack(">BxLL", 7, 4, 0))
    elif end == "reset":
        client.reset()
    else:
        client.connection.close()
    yield b""


def four_gigabytes(victim: Victim) -> str:
    """An A-ASSOCIATE-RQ, then a P-DATA, that announce 4 GB and begin to send them."""
    before, said = victim.server.memory_mb(), []
    for kind in (1, 4):
        client = RudeClient(victim.server.port)
        if kind == 4:
            client.associate(PET.sop_class_uid, victim.called)
        began = time.perf_counter()
        client.say(struct.pack(">BxL", kind, ANNOUNCED))
        for _ in range(FLOOD_BYTES >> 20):
            client.say(bytes(1 << 20))
        said.append(f"{client.answer()} in {time.perf_counter() - began:.1f} s")
        client.connection.close()
    return f"{', '.join(said)}; {victim.server.memory_mb() - before:+.0f} MB"


def no_dicom(victim: Victim) -> str:
    """Another protocol, or none."""
    said = []
    for noise in (os.urandom(65536), b"GET / HTTP/1.1\r\nHost: node\r\n\r\n"):
        client, began = RudeClient(victim.server.port), time.perf_counter()
        client.say(noise)
        said.append(f"{client.answer()} in {time.perf_counter() - began:.1f} s")
        client.connection.close()
    return ", ".join(said)


def wrong_titles(victim: Victim) -> str:
    """An AE title that is not ours, then one that nobody knows."""
    said = []
    for called, calling in (("NOBODY", ""), (victim.called, "STRANGER")):
        client = RudeClient(victim.server.port)
        said.append(client.associate(PET.sop_class_uid, called, calling))
        client.connection.close()
    return f"called: {said[0]}; calling: {said[1]}"


def character_sets(victim: Victim) -> str:
    """Names in and outside of announced character sets."""
    said = []
    for character_set, name in NAMES:
        (one,) = slices(PET, 1, SpecificCharacterSet=character_set or "ISO_IR 192", PatientName=name)
        dataset = one.dataset
        if character_set is None:  # UTF-8 that nobody announces
            dataset = dataset.replace(b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 192", b"")
        said.append(sent(victim, one, dataset))
    return "; ".join(dict.fromkeys(said))


def few_pixels(victim: Victim) -> str:
    """An element without a value, then none."""
    one, other = slices(PET, 2)
    empty = one.dataset[: _pixels_at(one)] + one.dataset[_pixels_at(one) :][:8] + bytes(4)
    absent = other.dataset[: _pixels_at(other)]
    return f"empty: {sent(victim, one, empty)}; absent: {sent(victim, other, absent)}"


def _pixels_at(one: Slice) -> int:
    return one.dataset.rindex(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"))


def many_frames(victim: Victim) -> str:
    """One instance of `many_frames` frames of 512 x 512 x 16 bits, generated while it is sent."""
    frame = os.urandom(1 << 19)
    length = victim.many_frames << 19
    (one,) = slices(PET, 1, Rows=512, Columns=512, NumberOfFrames=victim.many_frames)
    at = _pixels_at(one)
    head = one.dataset[: at + 8] + struct.pack("<L", length)
    before = most = victim.server.memory_mb()

    def fragments() -> Iterator[bytes]:
        nonlocal most
        yield head
        for part in repeat(frame, victim.many_frames):
            yield from pieces(part)
            most = max(most, victim.server.memory_mb())

    with victim.association() as client:
        client.connection.settimeout(600)
        said = client.store(PET.sop_class_uid, one.sop_instance_uid, fragments())
    most = max(most, victim.server.memory_mb())
    return f"{said}, {most - before:+.0f} MB of memory for {length >> 20} MB"


def silent_connections(victim: Victim) -> str:
    """Five times `crowd` that never say anything."""
    silent = []
    try:
        for _ in range(victim.crowd * 5):
            silent.append(RudeClient(victim.server.port, 5))  # noqa: PERF401 - those before a refusal count
    except OSError:
        pass
    try:
        return f"{len(silent)} silent; C-ECHO {_echoes(victim)}"
    finally:
        for client in silent:
            client.connection.close()


def idle_associations(victim: Victim) -> str:
    """`crowd` associations over which nothing is sent."""
    idle = []
    try:
        for _ in range(victim.crowd):
            client = RudeClient(victim.server.port, 5)
            if client.associate(PET.sop_class_uid, victim.called) != "accepted":
                break
            idle.append(client)
    except OSError:
        pass
    try:
        return f"{len(idle)} idle; C-ECHO {_echoes(victim)}"
    finally:
        for client in idle:
            client.connection.close()


def one_each(victim: Victim) -> str:
    """An association for each instance, four at a time."""
    made = slices(PET, victim.crowd)
    failed = []

    def send(one: Slice) -> None:
        try:
            with victim.association() as client:
                if client.store(PET.sop_class_uid, one.sop_instance_uid, pieces(one.dataset)) != "0x0000":
                    failed.append(one)
                client.release()
        except OSError:
            failed.append(one)

    began = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, made))
    return f"{len(made) / (time.perf_counter() - began):.0f} associations/s, {len(failed)} failed"


def _echoes(victim: Victim) -> str:
    times = []
    for _ in range(ECHOES):
        times.append(echo_s(victim.server.port, victim.called))
        if times[-1] == float("inf"):
            return "fails"
    return f"median {1e3 * sorted(times)[ECHOES // 2]:.0f} ms, longest {1e3 * max(times):.0f} ms"
