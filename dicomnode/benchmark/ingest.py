"""Receivers side by side, sent the same slices by one client: interleaved rounds, medians, a page and a picture."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from .ingest_receivers import RECEIVERS, running
from .records import Records, Row

MEASURED = ("instances_per_s", "mb_per_s", "cpu_ms", "p50_ms", "p99_ms", "peak_mb", "set_up_ms", "failed")
COLUMNS = ("instances/s", "MB/s", "CPU ms each", "p50 ms", "p99 ms", "peak MB", "set-up ms", "failed")
WARM_UP = 4
"""Instances ahead of the measured ones, so that none measures what a process does once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent how often: instances by kind, and how many associations at a time."""

    receivers: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]
    associations: tuple[int, ...]
    rounds: int

    def __iter__(self) -> Iterator[tuple[int, str, int, int, str]]:
        """Round by round, so that what else the machine does meets every receiver."""
        for number in range(self.rounds):
            for kind, count in self.counts:
                for associations in self.associations:
                    for receiver in self.receivers:
                        yield number, kind, count, associations, receiver


def small(receivers: Sequence[str]) -> Plan:
    """Seconds."""
    return Plan(tuple(receivers), (("CT", 12), ("PET", 12)), (4,), 1)


def full(receivers: Sequence[str]) -> Plan:
    """600 CT and 3,000 PET slices."""
    return Plan(tuple(receivers), (("CT", 600), ("PET", 3000)), (1, 4, 8), 5)


def measure(plan: Plan, records: Records, say: Callable[[str], None]) -> None:
    """Measure what `records` lack."""
    for number, kind, count, associations, receiver in plan:
        key = f"{receiver} {kind} x{count} a{associations} r{number}"
        if key not in records:
            say(key)
            records.add({"key": key, **_measured(receiver, kind, count, associations)})


def _measured(receiver: str, kind: str, count: int, associations: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, running(receiver, Path(folder) / "kept") as server:
        called = RECEIVERS[receiver].called
        _sent(server.port, called, kind, WARM_UP, 1, lambda: None)
        before = [0.0]

        def begin() -> None:
            before[0] = server.cpu_s()

        sent = _sent(server.port, called, kind, count, associations, begin)
        cpu_s, answers = server.cpu_s() - before[0], sent["answer_s"] or [0.0]
        return {
            "receiver": receiver,
            "kind": kind,
            "associations": associations,
            "instances_per_s": count / sent["wall_s"],
            "mb_per_s": sent["bytes"] / sent["wall_s"] / 1e6,
            "cpu_ms": 1e3 * cpu_s / count,
            "p50_ms": 1e3 * answers[len(answers) // 2],
            "p99_ms": 1e3 * answers[int(len(answers) * 0.99)],
            "peak_mb": server.peak_mb(),
            "set_up_ms": 1e3 * sent["set_up_s"],
            "failed": sent["failed"],
        }


def _sent(
    port: int, called: str, kind: str, count: int, associations: int, begin: Callable[[], None]
) -> dict[str, Any]:
    words = [sys.executable, "-m", "dicomnode.benchmark.ingest_client", str(port), called, kind, str(count)]
    with subprocess.Popen(
        [*words, str(associations)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        if client.stdout is not None:
            client.stdout.readline()
        begin()
        said, _ = client.communicate("go\n")
    found: dict[str, Any] = json.loads(said)
    return found


def medians(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One row for each kind, number of associations and receiver: the median of every number over the rounds."""
    groups: dict[tuple[str, int, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["kind"], row["associations"], row["receiver"]), []).append(row)
    return [
        {
            "kind": kind,
            "associations": associations,
            "receiver": receiver,
            "rounds": len(theirs),
            **{name: median(row[name] for row in theirs) for name in MEASURED},
        }
        for (kind, associations, receiver), theirs in sorted(groups.items())
    ]


def page(found: Sequence[Row]) -> str:
    """The medians as a Markdown table."""
    head = ("slices", "associations", "receiver", "durable at Success", *COLUMNS, "rounds")
    lines = ["# Receiving, measured", "", f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in found:
        receiver = RECEIVERS[row["receiver"]]
        numbers = [f"{row[name]:.1f}" for name in MEASURED]
        cells = [row["kind"], str(row["associations"]), receiver.title, receiver.durable, *numbers, str(row["rounds"])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def draw(found: Sequence[Row], path: Path) -> Path:
    """Instances a second against associations, a line a receiver."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    kinds = sorted({row["kind"] for row in found})
    figure, panels = plt.subplots(1, len(kinds), figsize=(5 * len(kinds), 4), layout="constrained", squeeze=False)
    for axes, kind in zip(panels[0], kinds, strict=True):
        for receiver in RECEIVERS:
            theirs = [row for row in found if (row["kind"], row["receiver"]) == (kind, receiver)]
            if theirs:
                places = [row["associations"] for row in theirs]
                rates = [row["instances_per_s"] for row in theirs]
                axes.plot(places, rates, marker="o", label=RECEIVERS[receiver].title)
        axes.set(xlabel="associations", ylabel="instances a second", yscale="log", title=kind)
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=90)
    plt.close(figure)
    return path
