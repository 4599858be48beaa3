"""What the gate says of the runs of the calibration, with estimates that had not seen their pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fusion import Limits, QualityReport, Registration, Verdict
from fusion.geometry.transform import AffineTransform
from fusion.quality.gate import judged

from .records import Row
from .target_error import LARGEST_LIMIT_MM, MEAN_LIMIT_MM

TEXT = frozenset({"key", "pair", "person", "change", "level"})
NOT_MEASURES = TEXT | {"error_mm", "error_p95_mm", "error_max_mm", "similarity", "converged"}
TURNED_DEG = 45.0

HEADINGS = (
    "pair",
    "runs",
    "median error mm",
    "failures",
    "accepted",
    "good",
    "held back",
    "turned",
    "p95 below the bound",
)


@dataclass(frozen=True, slots=True)
class Said:
    """An estimate in mm: the mean, the ends of its interval, and the bound of the 95th percentile."""

    expected_mm: float
    low_mm: float
    high_mm: float
    bound_mm: float


def failed(row: Row) -> bool:
    """A mean of 2.5 mm or more, or 5 mm anywhere."""
    return bool(row["error_mm"] >= MEAN_LIMIT_MM or row["error_max_mm"] >= LARGEST_LIMIT_MM)


def report_of(row: Row, said: Said) -> QualityReport:
    """The gate's verdict on a run, had its estimate been `said`."""
    measures = {name: float(value) for name, value in row.items() if name not in NOT_MEASURES}
    measures |= {"expected_error_low_mm": said.low_mm, "expected_error_high_mm": said.high_mm}
    registration = Registration(
        transform=AffineTransform.identity(),
        registrar="rigid",
        parameters={},
        similarity_name="normalised mutual information",
        similarity=row["similarity"],
        expected_error_mm=said.expected_mm,
        error_bound_mm=said.bound_mm,
        iterations=0,
        converged=bool(row["converged"]),
        seconds=0.0,
        device="cpu",
        measures=measures,
    )
    return judged(registration, Limits())


def lines_of(rows: Sequence[Row], said: Mapping[str, Said]) -> list[tuple[str, ...]]:
    """A line a pair, in the order of the columns of `HEADINGS`, and one for all."""
    pairs = {name: [row for row in rows if row["pair"] == name] for name in dict.fromkeys(row["pair"] for row in rows)}
    return [line_of(name, some, said) for name, some in ({**pairs, "all": list(rows)}).items()]


def line_of(name: str, rows: Sequence[Row], said: Mapping[str, Said]) -> tuple[str, ...]:
    """How the runs of `rows` were judged: failures accepted, good ones held back, and how often the bound held."""
    accepted = {row["key"] for row in rows if report_of(row, said[row["key"]]).verdict is Verdict.ACCEPT}
    bad = [row for row in rows if failed(row)]
    fine = [row for row in rows if not failed(row)]
    upright = [row for row in fine if row["header_rotation_deg"] <= TURNED_DEG]
    below = sum(row["error_p95_mm"] <= said[row["key"]].bound_mm for row in rows)
    middle = sorted(row["error_mm"] for row in rows)[len(rows) // 2]
    return (
        name,
        str(len(rows)),
        f"{middle:.2f}",
        str(len(bad)),
        str(sum(row["key"] in accepted for row in bad)),
        str(len(upright)),
        str(sum(row["key"] not in accepted for row in upright)),
        str(len(fine) - len(upright)),
        f"{100 * below / len(rows):.0f} %",
    )


def reasons_of(rows: Sequence[Row], said: Mapping[str, Said]) -> list[tuple[str, str]]:
    """(key, first reason) of every good run that was held back though it was not turned."""
    found = []
    for row in rows:
        report = report_of(row, said[row["key"]])
        if not failed(row) and row["header_rotation_deg"] <= TURNED_DEG and report.verdict is not Verdict.ACCEPT:
            found.append((row["key"], report.reasons[0]))
    return found


def markdown(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table."""
    rows = [headings, ["---"] * len(headings), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
