"""The records as Markdown tables."""

from collections.abc import Callable, Sequence
from statistics import mean

from .findings import Findings
from .records import Row

Lines = list[Sequence[str]]


def table(title: str, head: Sequence[str], lines: Lines) -> str:
    """A heading and a table; nothing where there are no lines."""
    if not lines:
        return ""
    rows = [head, ["---"] * len(head), *lines]
    return f"\n## {title}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def number(value: float | None, digits: int = 2) -> str:
    """A number, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def accuracy(found: Findings) -> str:
    """Every pair as it is, by every tool."""
    lines: Lines = []
    for row in found.of("accuracy"):
        by_consensus = found.pairs[row["pair"]]["by_consensus"]
        consensus = found.consensus(row["pair"], row["tool"]) if by_consensus else None
        error, stated = None, found.stated_error(row)
        if consensus is not None:
            error = found.error_against(row, consensus.transform)
        lines.append(
            (
                row["pair"],
                row["tool"],
                number(error.mean_mm if error else None),
                number(error.max_mm if error else None),
                number(consensus.spread_mm if consensus else None),
                number(stated.mean_mm),
                *(number(row.get(name), digits) for name, digits in (("cpu_s", 1), ("core_cpu_s", 1), ("peak_mb", 0))),
                str(row.get("verdict", "says nothing")),
            )
        )
    head = ("pair", "tool", "mean mm from the consensus", "max", "its spread", "mean mm from the stated truth", "CPU-s")
    return table("Accuracy, as scanned", (*head, "of it the registration", "peak MB", "verdict"), lines)


def header(found: Findings) -> str:
    """Pairs of one examination, the shared coordinates believed and verified."""
    lines: Lines = [
        (
            row["pair"],
            number(found.stated_error(row).mean_mm),
            number(row["expected_mm"]),
            number(row["bound_mm"]),
            row["verdict"],
            row["reason"].split(";")[0],
        )
        for row in found.of("header")
    ]
    head = ("pair", "mean mm", "expected", "bound", "verdict", "reason")
    return table("One examination, the header believed", head, lines)


def spread(found: Findings) -> str:
    """How far answers from different starts lie apart."""
    lines: Lines = []
    for tool in dict.fromkeys(row["tool"] for row in found.of("spread")):
        rows = found.of("spread", tool=tool)
        good = [row for row in rows if not found.error(row).failed]
        lines.append(
            (
                tool,
                f"{len(good)} of {len(rows)}",
                number(found.spread_mm(good) if len(good) > 1 else None, 3),
                number(mean(row["cpu_s"] for row in rows)),
            )
        )
    return table("Spread over random starts", ("tool", "found", "mean distance from their mean, mm", "CPU-s"), lines)


def capture(found: Findings) -> str:
    """From how far the right answer is found."""
    lines: Lines = []
    for row in one_each(found.of("capture"), "level", "change", "pair", "tool"):
        rows = found.of("capture", **{name: row[name] for name in ("level", "change", "pair", "tool")})
        errors = [found.error(each) for each in rows]
        silent = sum(
            error.failed and each.get("verdict", "accept") == "accept"
            for error, each in zip(errors, rows, strict=True)
        )  # fmt: skip
        lines.append(
            (
                row["level"] + ("" if row["change"] == "none" else f", {row['change']}"),
                row["pair"],
                row["tool"],
                f"{sum(not error.failed for error in errors)} of {len(rows)}",
                f"{sum(found.stated_error(each).mean_mm < 2.5 for each in rows)} of {len(rows)}",
                number(max(error.mean_mm for error in errors)),
                str(silent),
                number(mean(each["cpu_s"] for each in rows)),
            )
        )
    head = ("misalignment", "pair", "tool", "found", "below 2.5 mm of the stated truth", "worst mean mm")
    return table("Capture", (*head, "failed and nothing said", "CPU-s"), lines)


def one_each(rows: Sequence[Row], *names: str) -> list[Row]:
    """The first row of each combination of values."""
    seen: dict[tuple[object, ...], Row] = {}
    for row in rows:
        seen.setdefault(tuple(row[name] for name in names), row)
    return list(seen.values())


def verdicts(found: Findings) -> str:
    """What our verdicts are worth, by pair."""
    rows = found.of("verdicts")
    lines: Lines = [verdict_line(found, name, found.of("verdicts", pair=name)) for name in pairs_of(rows)]
    if lines:
        lines.append(verdict_line(found, "all", rows))
    head = ("pair", "runs", "failures", "of them accepted", "good runs", "of them held back", "bound holds")
    return table("Verdicts on generated runs", (*head, "estimate within 30 %", "turned, for review"), lines)


def verdict_line(found: Findings, name: str, rows: Sequence[Row]) -> tuple[str, ...]:
    """Counts over some runs."""
    errors = [found.error(row) for row in rows]
    judged = list(zip(rows, errors, strict=True))
    failures = [row for row, error in judged if error.failed]
    good = [row for row, error in judged if not error.failed and not found.turned(row)]
    bounded = [error.p95_mm <= row["bound_mm"] for row, error in judged if row["bound_mm"] is not None]
    near = estimates_near(found, rows)
    return (
        name,
        str(len(rows)),
        str(len(failures)),
        str(sum(row["verdict"] == "accept" for row in failures)),
        str(len(good)),
        str(sum(row["verdict"] != "accept" for row in good)),
        f"{sum(bounded)} of {len(bounded)}",
        f"{sum(near)} of {len(near)}",
        str(sum(not error.failed and found.turned(row) for row, error in judged)),
    )


def estimates_near(found: Findings, rows: Sequence[Row], above_mm: float = 0.5, share: float = 0.3) -> list[bool]:
    """For each run above 0.5 mm of true error: whether the estimate is within 30 % of it."""
    errors = [(row["expected_mm"], found.error(row).mean_mm) for row in rows]
    return [
        expected is not None and abs(expected - true) <= share * true for expected, true in errors if true > above_mm
    ]


def never(found: Findings) -> str:
    """Pairs that must not be accepted."""
    lines: Lines = [
        (row["kind"], row["pair"], row["verdict"], row["reason"].split(";")[0]) for row in found.of("never")
    ]
    return table("Pairs that must not be accepted", ("what", "pair", "verdict", "reason"), lines)


def cost(found: Findings) -> str:
    """Whole commands, each in a process of its own."""
    lines: Lines = []
    for row in found.of("cost"):
        voxels = sum(found.pairs[row["pair"]]["voxels"]) / 1e6 if row["pair"] in found.pairs else None
        costs = (("cpu_s", 1), ("core_cpu_s", 1), ("wall_s", 1), ("peak_mb", 0))
        lines.append(
            (
                row["pair"] or "–",
                number(voxels, 1),
                row["tool"],
                *(number(row.get(name), digits) for name, digits in costs),
            )
        )
    head = ("pair", "million voxels", "tool", "CPU-s", "of it the registration", "wall s", "peak MB")
    return table("Cost", head, lines)


def deformable(found: Findings) -> str:
    """A known smooth warp of a real head."""
    names = ("mean_mm", "p95_mm", "max_mm")
    lines: Lines = [
        (
            row["contrast"],
            row["tool"],
            *(number(row[name]) for name in names),
            f"{100 * row['folded_share']:.4f} %",
            number(row["min_jacobian"], 3),
            number(row.get("cpu_s"), 0),
            number(row.get("peak_mb"), 0),
        )
        for row in found.of("deformable")
    ]
    head = ("contrast", "tool", "mean mm", "p95 mm", "max mm", "folded", "least Jacobian", "CPU-s", "peak MB")
    return table("Deformable, a known warp", head, lines)


def pairs_of(rows: Sequence[Row]) -> list[str]:
    """Their pairs, in order."""
    return list(dict.fromkeys(row["pair"] for row in rows))


def patients_of(found: Findings, rows: Sequence[Row]) -> int:
    """How many people (or averages) some rows are about."""
    return len({found.pairs[row["pair"]]["patient"] for row in rows if row["pair"] in found.pairs})


def failures(found: Findings) -> str:
    """What gave no answer."""
    lines: Lines = [(row["key"], str(row["failed"])[:160].replace("\n", " ")) for row in found.failed]
    return table("No answer", ("what", "reason"), lines)


TABLES: Sequence[Callable[[Findings], str]] = (
    accuracy,
    header,
    spread,
    capture,
    verdicts,
    never,
    cost,
    deformable,
    failures,
)
