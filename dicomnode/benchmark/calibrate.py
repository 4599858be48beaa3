"""From the records of `calibration_runs` to the numbers of `fusion/registration/calibration.json`, a table and a plot.

    python -m dicomnode.benchmark.calibrate --data DIR --out DIR [--rounds N]

A run that was stopped goes on where it was. For each kind of pair a floor and one weight a sign, none below zero, are
fitted so that the logarithm of the estimate errs as little as it can in the mean over the pairs. The interval and the
bound are the estimate times factors: quantiles of what the truth was of the estimate of a fit that had not seen the
pair (split conformal prediction over pairs, Vovk, Gammerman and Shafer 2005, `vovk2005`).
"""

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from fusion.registration.rivals import MAX_FAR_RIVAL_RATIO, MAX_NEAR_RIVAL_RATIO, MIN_RIVALS_COMPARED_RATIO

from .calibration_runs import carried_out, runs
from .calibration_table import HEADINGS, Said, lines_of, markdown, reasons_of
from .records import Records, Row

SIGNS = ("sample_spread", "half_spread", "stretch", "blur_shift")
"""Those that tell of pairs that were not seen; more of them tell less (docs/lab_notes.md)."""

DOMAIN = ("sample_spread_mm", "half_spread_mm", "inverse_shift_mm", "body_radius_mm", "voxel_mm")
KINDS = ("anatomy", "uptake")
LEAST_MM, MOST_MM = 0.15, 20.0
"""Errors below are no better than the truth is known; above, they are all the same: lost."""

LEAST_FLOOR_MM = 0.3
"""Nearer than to this the truth of no pair of scans is known, and no estimate claims to be."""

GENERATED_TRUNK_MM = 160.0
"""Root mean square radius of the largest body that was tried: generated trunks, in the tests; no patient's."""

RIDGE = 5e-4
SHAPED = 0.5
LOW, HIGH = 0.05, 0.95
TOLERANCE = 0.3
COUNTED_FROM_MM = 0.5

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fit:
    """A floor in mm and weights of the squared signs."""

    floor_mm: float
    weights: Values

    def __call__(self, squares: Values) -> Values:
        estimate: Values = np.sqrt(self.floor_mm**2 + squares @ self.weights)
        return estimate


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The runs of one kind: squared signs (n, signs), errors and their 95th percentiles (n,), and the pairs (n,)."""

    squares: Values
    error: Values
    p95: Values
    pair: NDArray[np.str_]
    keys: tuple[str, ...]

    def only(self, which: NDArray[np.bool_]) -> "Runs":
        """Some of them."""
        keys = tuple(key for key, kept in zip(self.keys, which, strict=True) if kept)
        return Runs(self.squares[which], self.error[which], self.p95[which], self.pair[which], keys)


def kind_of(row: Row) -> str:
    """By which of the scales the gate judges a run."""
    return "uptake" if row["uptake_images_ratio"] > 0 else "anatomy"


def confirmed(row: Row) -> bool:
    """Whether the images told the placement from others; where they did not, no sign says how far off it is."""
    return bool(
        row["near_rival_ratio"] < MAX_NEAR_RIVAL_RATIO
        and row["far_rival_ratio"] <= MAX_FAR_RIVAL_RATIO
        and row["rivals_compared_ratio"] >= MIN_RIVALS_COMPARED_RATIO
    )


def of_kind(rows: Sequence[Row], kind: str) -> Runs:
    """The rows of one kind whose placement was confirmed."""
    chosen = [row for row in rows if kind_of(row) == kind and confirmed(row)]
    squares = np.array([[row[f"{sign}_mm"] ** 2 for sign in SIGNS] for row in chosen])
    error, p95 = (np.clip([row[name] for row in chosen], LEAST_MM, MOST_MM) for name in ("error_mm", "error_p95_mm"))
    pairs = np.array([row["pair"] for row in chosen])
    return Runs(squares, error, p95, pairs, tuple(row["key"] for row in chosen))


def fitted(seen: Runs) -> Fit:
    """The floor and the weights, each pair counting the same.

    Their proportions are those of the quantile `SHAPED` of the logarithm (Koenker and Bassett, Econometrica 46 (1978)
    33-50, `koenker1978`), their size that of the median.
    """
    share = np.array([1 / np.sum(seen.pair == pair) for pair in seen.pair])
    share /= share.sum()
    wanted = np.log(seen.error)

    def loss(parameters: Values) -> tuple[float, Values]:
        floor, roots = np.exp(parameters[0]), parameters[1:]
        squared = floor**2 + seen.squares @ roots**2
        off = 0.5 * np.log(squared) - wanted
        smooth = np.sqrt(off**2 + 1e-3)
        pull = share * (0.5 * off / smooth + 0.5 - SHAPED) / (2 * squared)
        slope = np.concatenate(
            [[2 * floor**2 * pull.sum()], 2 * roots * (seen.squares.T @ pull) + 4 * RIDGE * roots**3]
        )
        tilted = 0.5 * smooth + (0.5 - SHAPED) * off
        return float(share @ tilted + RIDGE * (roots**4).sum()), slope

    within = [(np.log(LEAST_FLOOR_MM), None), *[(None, None)] * len(SIGNS)]
    best = min(
        (
            minimize(loss, np.r_[np.log(0.5), np.full(len(SIGNS), s)], jac=True, method="L-BFGS-B", bounds=within)
            for s in (0.2, 0.6)
        ),
        key=lambda result: float(result.fun),
    )
    shape = Fit(float(np.exp(best.x[0])), best.x[1:] ** 2)
    scale = quantile_over_pairs(seen.error / shape(seen.squares), seen.pair, 0.5)
    return Fit(scale * shape.floor_mm, scale**2 * shape.weights)


def unseen(seen: Runs) -> Values:
    """(n,): for every run, the estimate of a fit that has not seen its pair."""
    estimate = np.empty(len(seen.error))
    for pair in np.unique(seen.pair):
        own = seen.pair == pair
        estimate[own] = fitted(seen.only(~own))(seen.squares[own])
    return estimate


def quantile_over_pairs(ratio: Values, pair: NDArray[np.str_], q: float) -> float:
    """The quantile with each pair counting the same, one pair more than there are counted in for the unknown one."""
    share = np.array([1 / np.sum(pair == one) for one in pair])
    order = np.argsort(ratio)
    reached = np.cumsum(share[order]) / len(np.unique(pair))
    last = min(int(np.searchsorted(reached, q)), len(order) - 1)
    return float(ratio[order[last]])


def calibrated(seen: Runs) -> tuple[dict[str, Any], tuple[Said, ...]]:
    """The numbers of one kind for the file, and what is said of each run by those that had not seen its pair."""
    fit, estimate = fitted(seen), unseen(seen)
    numbers = {
        "floor_mm": round(fit.floor_mm, 3),
        "weights": {sign: round(float(w), 4) for sign, w in zip(SIGNS, fit.weights, strict=True)},
        **factors(seen, estimate),
    }
    said: dict[int, Said] = {}
    for pair in np.unique(seen.pair):
        own = seen.pair == pair
        by_others = factors(seen.only(~own), estimate[~own])
        for k in np.flatnonzero(own):
            e = float(estimate[k])
            said[int(k)] = Said(e, *(by_others[name] * e for name in ("low_ratio", "high_ratio", "bound_ratio")))
    return numbers, tuple(said[k] for k in range(len(estimate)))


def anywhere(row: Row, numbers: Mapping[str, Any]) -> Said:
    """What is said of a placement that is not confirmed: it may lie anywhere in the body."""
    squared = sum(numbers["weights"][sign] * row[f"{sign}_mm"] ** 2 for sign in SIGNS)
    expected = float(np.sqrt(numbers["floor_mm"] ** 2 + squared))
    low, high, bound = (numbers[name] * expected for name in ("low_ratio", "high_ratio", "bound_ratio"))
    radius = row["body_radius_mm"]
    return Said(expected, low, max(high, radius), max(bound, 2 * radius))


def factors(seen: Runs, estimate: Values) -> dict[str, float]:
    """The ends of the interval and the bound of the 95th percentile, of the estimate."""
    means = seen.error / estimate
    high = max(quantile_over_pairs(means, seen.pair, HIGH), 1.0)
    return {
        "low_ratio": round(min(quantile_over_pairs(means, seen.pair, LOW), 1.0), 3),
        "high_ratio": round(high, 3),
        "bound_ratio": round(max(quantile_over_pairs(seen.p95 / estimate, seen.pair, HIGH), high), 3),
    }


def quality(seen: Runs, said: Sequence[Said]) -> dict[str, float]:
    """What is said of a calibration: shares of runs of pairs that were not seen."""
    estimate, low, high, bound = (
        np.array([getattr(one, name) for one in said]) for name in ("expected_mm", "low_mm", "high_mm", "bound_mm")
    )
    counted = seen.error > COUNTED_FROM_MM
    near = np.abs(estimate / seen.error - 1) <= TOLERANCE
    return {
        "runs": len(seen.error),
        "pairs": len(np.unique(seen.pair)),
        "failures": int((seen.error >= 2.5).sum()),
        "above 0.5 mm": int(counted.sum()),
        "within 30 % above 0.5 mm": round(float(near[counted].mean()), 3),
        "below the bound": round(float((seen.p95 <= bound).mean()), 3),
        "within the interval": round(float(((seen.error >= low) & (seen.error <= high)).mean()), 3),
    }


def domain(rows: Sequence[Row]) -> dict[str, list[float]]:
    """The range of the measures that say what was seen: up to a tenth more than the largest."""
    found = [row for row in rows if row["error_mm"] < MOST_MM and confirmed(row)]
    ranges = {name: [0.0, round(1.1 * max(row[name] for row in found), 2)] for name in DOMAIN}
    ranges["body_radius_mm"] = [
        round(0.9 * min(row["body_radius_mm"] for row in found), 2),
        max(ranges["body_radius_mm"][1], GENERATED_TRUNK_MM),
    ]
    return ranges


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """How many runs there are, and of how many the placement was not confirmed."""
    return {"runs": len(rows), "not confirmed": sum(not confirmed(row) for row in rows)}


def write_table(path: Path, rows: Sequence[Row], estimates: Mapping[str, float]) -> None:
    """The records with the estimates for unseen pairs, as CSV."""
    names = ["key", *dict.fromkeys(name for row in rows for name in row if name not in ("key", "cpu"))]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*names, "estimate_unseen_mm"], extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, "estimate_unseen_mm": round(estimates[row["key"]], 3)})


def plot(path: Path, kinds: Mapping[str, tuple[Runs, Values]]) -> None:
    """Estimated against true error, both logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 6))
    for (name, (seen, estimate)), colour in zip(kinds.items(), ("#1f77b4", "#d62728"), strict=True):
        axes.loglog(seen.error, estimate, ".", color=colour, label=name, alpha=0.6)
    ends = np.array((LEAST_MM, MOST_MM))
    for factor, style in ((1.0, "k-"), (1 - TOLERANCE, "k:"), (1 + TOLERANCE, "k:")):
        axes.loglog(ends, factor * ends, style, linewidth=0.8)
    axes.axvline(2.5, color="grey", linewidth=0.8)
    axes.set(xlabel="true mean error, mm", ylabel="estimate for a pair that was not seen, mm")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def calibrate(rows: Sequence[Row], out: Path) -> dict[str, Any]:
    """Fit, and write `calibration.json`, `runs.csv`, `verdicts.md` and `calibration.svg` to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    kinds, file, shares = {}, {}, {}
    said: dict[str, Said] = {}
    for name in KINDS:
        seen = of_kind(rows, name)
        file[name], of_runs = calibrated(seen)
        kinds[name] = (seen, np.array([one.expected_mm for one in of_runs]))
        shares[name] = quality(seen, of_runs)
        said |= dict(zip(seen.keys, of_runs, strict=True))
    said |= {row["key"]: anywhere(row, file[kind_of(row)]) for row in rows if not confirmed(row)}
    file["seen"] = domain(rows)
    (out / "calibration.json").write_text(json.dumps(file, indent=2) + "\n", encoding="utf-8")
    write_table(out / "runs.csv", rows, {key: one.expected_mm for key, one in said.items()})
    held = markdown(("good run held back", "reason"), reasons_of(rows, said))
    (out / "verdicts.md").write_text(f"{markdown(HEADINGS, lines_of(rows, said))}\n{held}", encoding="utf-8")
    plot(out / "calibration.svg", kinds)
    return {"all": counts(rows), **shares}


def main() -> None:
    """Carry out what is missing of the runs, then fit."""
    parser = argparse.ArgumentParser(prog="python -m dicomnode.benchmark.calibrate")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the reference images")
    parser.add_argument("--out", type=Path, required=True, help="where the records, the table and the plot go")
    parser.add_argument("--rounds", type=int, default=2, help="how often each pair is spoilt in each way")
    chosen = parser.parse_args()
    records = Records(chosen.out / "runs.jsonl")
    for run in runs(chosen.rounds):
        if run.key not in records:
            records.add(carried_out(run, chosen.data))
    sys.stdout.write(json.dumps(calibrate(list(records), chosen.out), indent=2) + "\n")


if __name__ == "__main__":
    main()
