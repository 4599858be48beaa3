"""The records as pictures: error against time, success against misalignment, estimated against true error."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from .findings import Findings
from .records import Row
from .tools import OURS

LEAST_MM = 0.01
"""Below this two answers are the same; a logarithmic axis needs an end."""

BIN_MM = 40.0
VERDICT_COLOURS: Mapping[str, str] = MappingProxyType({"accept": "C2", "review": "C1", "reject": "C3"})


def draw(found: Findings, folder: Path) -> list[Path]:
    """Write every picture for which there are rows."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    paths = []
    for name, picture in PICTURES.items():
        figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
        if picture(axes, found):
            paths.append(folder / f"{name}.png")
            figure.savefig(paths[-1], dpi=90)
        plt.close(figure)
    return paths


def error_against_time(axes: Any, found: Findings) -> bool:
    """CPU seconds of the registration against the mean error, one mark a pair as scanned."""
    rows = [row for row in found.of("accuracy") if row.get("core_cpu_s")]
    for tool, theirs in by(rows, "tool").items():
        errors = [max(found.error(row).mean_mm, LEAST_MM) for row in theirs]
        axes.scatter([row["core_cpu_s"] for row in theirs], errors, label=tool, alpha=0.8)
    axes.set(xscale="log", yscale="log", xlabel="CPU seconds of the registration", ylabel="mean error, mm")
    axes.axhline(2.5, color="grey", linestyle=":")
    axes.legend()
    return bool(rows)


def success_against_misalignment(axes: Any, found: Findings) -> bool:
    """Share of right answers by how far the header was off."""
    rows = [row for row in found.of("capture") if row["change"] == "none"]
    for tool, theirs in by(rows, "tool").items():
        bins: dict[int, list[bool]] = {}
        for row in theirs:
            bins.setdefault(int(found.misalignment_mm(row) // BIN_MM), []).append(not found.error(row).failed)
        places = sorted(bins)
        shares = [100 * float(np.mean(bins[place])) for place in places]
        axes.plot([(place + 0.5) * BIN_MM for place in places], shares, marker="o", label=tool)
    axes.set(xlabel="misalignment: mean over the body, mm", ylabel="found, %", ylim=(-5, 105))
    axes.legend()
    return bool(rows)


def estimated_against_true(axes: Any, found: Findings) -> bool:
    """Our own estimate of the mean error against the truth, by verdict."""
    rows = [row for row in (*found.of("verdicts"), *found.of("capture", tool=OURS)) if row.get("expected_mm")]
    for verdict, theirs in by(rows, "verdict").items():
        true = [max(found.error(row).mean_mm, LEAST_MM) for row in theirs]
        expected = [row["expected_mm"] for row in theirs]
        axes.scatter(true, expected, s=10, alpha=0.6, color=VERDICT_COLOURS.get(verdict), label=verdict)
    line = np.array([LEAST_MM, 200.0])
    axes.plot(line, line, color="grey")
    axes.fill_between(line, 0.7 * line, 1.3 * line, color="grey", alpha=0.2)
    axes.axvline(2.5, color="grey", linestyle=":")
    axes.set(xscale="log", yscale="log", xlabel="true mean error, mm", ylabel="expected_error_mm")
    axes.legend()
    return bool(rows)


def by(rows: Sequence[Row], name: str) -> dict[str, list[Row]]:
    """The rows by one of their fields."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    return groups


PICTURES: Mapping[str, Callable[[Any, Findings], bool]] = MappingProxyType(
    {
        "error_against_time": error_against_time,
        "success_against_misalignment": success_against_misalignment,
        "estimated_against_true": estimated_against_true,
    }
)
