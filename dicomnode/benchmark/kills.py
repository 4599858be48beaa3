"""kill -9 at random moments, while four senders send: whether all that was acknowledged is there, byte for byte."""

import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from .ingest_receivers import RECEIVERS, started
from .ingest_slices import KINDS, Slice, slices
from .records import Records, Row
from .rude_client import associated, pieces

PET = KINDS["PET"]
SENDERS = 4
BATCH = 40
LONGEST_S = 1.0
"""Between the first answer of a round and the kill."""

TAIL_BYTES = 50_000
"""The end of a data set, which no receiver writes otherwise than it came."""


@dataclass(slots=True)
class Sent:
    """What was acknowledged so far: the end of each data set, by SOP Instance UID."""

    acknowledged: dict[str, bytes] = field(default_factory=dict)
    first: threading.Event = field(default_factory=threading.Event)

    def send(self, port: int, called: str, made: Sequence[Slice]) -> None:
        """Until the receiver is gone."""
        with suppress(OSError), associated(port, called, PET.sop_class_uid) as client:
            for one in made:
                if client.store(PET.sop_class_uid, one.sop_instance_uid, pieces(one.dataset)) != "0x0000":
                    return
                self.acknowledged[one.sop_instance_uid] = one.dataset[-TAIL_BYTES:]
                self.first.set()


def measure(receivers: Sequence[str], kills: int, records: Records, say: Callable[[str], None]) -> None:
    """Kill each receiver `kills` times over one folder, unless `records` say what came of it."""
    for name in receivers:
        if f"{name} {kills}" not in records:
            with tempfile.TemporaryDirectory() as scratch:
                sent = Sent()
                for number in range(kills):
                    say(f"{name}: kill {number + 1} of {kills}, {len(sent.acknowledged)} acknowledged")
                    _killed(name, Path(scratch), sent, random.Random(number))  # noqa: S311
                records.add({"key": f"{name} {kills}", "receiver": name, "kills": kills, **_found(name, scratch, sent)})


def _killed(name: str, folder: Path, sent: Sent, chance: random.Random) -> None:
    process, port = started(name, folder / "kept")
    sent.first.clear()
    made = slices(PET, SENDERS * BATCH)
    senders = [
        threading.Thread(target=sent.send, args=(port, RECEIVERS[name].called, made[k::SENDERS]))
        for k in range(SENDERS)
    ]
    try:
        for sender in senders:
            sender.start()
        sent.first.wait(60)
        time.sleep(chance.uniform(0, LONGEST_S))
    finally:
        _kill(process)
    for sender in senders:
        sender.join()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The process and whatever it forked."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _found(name: str, scratch: str, sent: Sent) -> dict[str, int]:
    """Start once more, so that the receiver may repair what it wants to; then count what it has to show."""
    folder = Path(scratch) / "kept"
    process, _ = started(name, folder)
    _kill(process)
    visible = dict(_visible(name, folder))
    lost = [uid for uid, tail in sent.acknowledged.items() if uid not in visible or not visible[uid].endswith(tail)]
    return {
        "acknowledged": len(sent.acknowledged),
        "lost": len(lost),
        "visible": len(visible),
        "damaged": sum(not _is_whole(file) for file in visible.values()),
    }


def _visible(name: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """SOP Instance UID and file of all that the receiver would show: of ours what its index names."""
    if name == "ours":
        yield from _of_the_node(folder)
        return
    for path in folder.rglob("*"):
        if path.is_file():
            with suppress(InvalidDicomError, OSError, AttributeError):
                yield str(dcmread(path, stop_before_pixels=True).SOPInstanceUID), path.read_bytes()


def _of_the_node(folder: Path) -> Iterator[tuple[str, bytes]]:
    from storage.catalogue import Catalogue
    from storage.objects import ObjectStore
    from storage.session import Database

    database = Database(f"sqlite:///{folder / 'ledger.sqlite'}")
    catalogue, store = Catalogue(database), ObjectStore(folder / "objects")
    for series in catalogue.list_series(limit=1_000_000):
        for instance in catalogue.instances(series.series_instance_uid):
            yield instance.sop_instance_uid, store.read(instance.stored.digest)
    database.dispose()


def _is_whole(file: bytes) -> bool:
    return len(file) > PET.extent**2 * 2


def page(rows: Sequence[Row]) -> str:
    """The table in Markdown."""
    head = ("receiver", "durable at Success", "kills", "acknowledged", "lost", "visible", "of them damaged")
    lines = ["# kill -9, again and again", "", f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in rows:
        receiver = RECEIVERS[row["receiver"]]
        numbers = [str(row[name]) for name in ("kills", "acknowledged", "lost", "visible", "damaged")]
        lines.append(f"| {' | '.join((receiver.title, receiver.durable, *numbers))} |")
    return "\n".join(lines) + "\n"
