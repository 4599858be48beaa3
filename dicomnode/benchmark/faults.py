"""The fault table: every fault done to every receiver by the same client, each to one that was just started."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import fault_cases as cases
from .fault_cases import Case, Victim
from .ingest_receivers import RECEIVERS, running
from .records import Records, Row


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table: `must` is what this node has to do."""

    name: str
    must: str
    case: Case


FAULTS: tuple[Fault, ...] = (
    Fault("data set cut inside Pixel Data", "0xC…, nothing kept, the association lives", cases.cut_in_pixels),
    Fault("data set cut in its header", "0xC…, nothing kept, the association lives", cases.cut_in_header),
    Fault("random bytes as the data set", "0xC…", cases.random_bytes),
    Fault("the command names another instance", "0xA900", cases.other_uid),
    Fault("data set without SOP Instance UID", "0xC…", cases.no_uid),
    Fault("the same UID with other pixels", "both kept, 0xB…", cases.other_pixels),
    Fault("A-ABORT, RST, FIN within C-STORE", "nothing left", cases.broken_off),
    Fault("A-ASSOCIATE, P-DATA of 4 GB announced", "refused at once, memory flat", cases.four_gigabytes),
    Fault("64 kB of noise; an HTTP request", "closed quickly", cases.no_dicom),
    Fault("wrong called, unknown calling AE title", "rejected: reasons 7 and 3", cases.wrong_titles),
    Fault("no character set, ISO 2022, GB18030", "kept as sent", cases.character_sets),
    Fault("Pixel Data empty; absent", "kept", cases.few_pixels),
    Fault("a large multi-frame image", "kept, memory flat", cases.many_frames),
    Fault("many silent connections", "C-ECHO within 200 ms", cases.silent_connections),
    Fault("many idle associations", "C-ECHO within 200 ms", cases.idle_associations),
    Fault("one association for each instance", "300 associations a second", cases.one_each),
)


def measure(receivers: Sequence[str], records: Records, say: Callable[[str], None], *, whole: bool) -> None:
    """Do to the receivers what `records` lack."""
    for fault in FAULTS:
        for name in receivers:
            key = f"{fault.name} | {name}"
            if key not in records:
                say(key)
                records.add(
                    {"key": key, "fault": fault.name, "receiver": name, "said": _done(fault, name, whole=whole)}
                )


def _done(fault: Fault, name: str, *, whole: bool) -> str:
    with tempfile.TemporaryDirectory() as scratch, running(name, Path(scratch) / "kept") as server:
        crowd, frames = (200, 4100) if whole else (20, 8)
        victim = Victim(server, RECEIVERS[name].called, Path(scratch) / "kept", crowd, frames)
        try:
            return fault.case(victim)
        except OSError as error:
            return f"{type(error).__name__}: {error}"


def page(rows: Sequence[Row]) -> str:
    """The table in Markdown."""
    receivers = [name for name in RECEIVERS if any(row["receiver"] == name for row in rows)]
    said = {(row["fault"], row["receiver"]): row["said"] for row in rows}
    head = ["fault", "this node must", *(RECEIVERS[name].title for name in receivers)]
    lines = ["# Faults of peers", "", f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for fault in FAULTS:
        cells = [fault.name, fault.must, *(said.get((fault.name, name), "–") for name in receivers)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
