"""The rows of the fusion benchmark as tables: means, ranks, differences, worst cases and costs."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from fusion.quality import METRICS

from .fusion_runs import CONTROLS, REFERENCES, of_kind
from .records import Row

USUAL = ("EN", "SD", "SF", "MI", "SCD", "VIF", "Qabf", "SSIM")
"""The eight of most papers; EN ranks as if more were better, as they do."""

HONEST = ("Qabf", "VIF", "SCD", "SSIM", "FMI", "MS-SSIM", "Nabf", "VIFmin", "SCDmin", "Qmin", "OOE")
"""Without those that noise raises, and with those that a copy of one source fails."""

SHOWN = (
    *("EN", "SD", "SF", "AG", "MI", "NMI", "FS", "SCD", "CC", "VIF", "VIFF", "Qabf", "FMI", "SSIM", "MS-SSIM", "PSNR"),
    *("Nabf", "VIFmin", "SCDmin", "Qmin", "OOE", "background"),
)
DIFFERENCES = ("Qabf", "VIF", "SCD", "SSIM")
WORST = ("Qabf", "SCD", "VIFmin", "SCDmin", "Qmin", "OOE", "background")
CUBE = 256**3

Means = dict[str, dict[str, float]]


def page(records: Iterable[Row]) -> str:
    """Every table in Markdown."""
    rows = list(records)
    quality = of_kind(rows, "quality")
    pairs = dict.fromkeys(row["pair"] for row in quality)
    each = [_pair(pair, [row for row in quality if row["pair"] == pair]) for pair in pairs]
    lesions = of_kind(rows, "lesion")
    parts = [_ranks(quality), *each, *([_lesions(lesions)] if lesions else []), _costs(of_kind(rows, "cost"))]
    return "\n\n".join(parts) + "\n"


def means(rows: Sequence[Row], of: Callable[[Sequence[float]], float] = lambda v: float(np.mean(v))) -> Means:
    """By method and metric, over the cases."""
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for name, value in row["metrics"].items():
            values.setdefault(row["method"], {}).setdefault(name, []).append(value)
    return {method: {name: of(each) for name, each in found.items()} for method, found in values.items()}


def mean_ranks(rows: Sequence[Row], metrics: Sequence[str], methods: Sequence[str]) -> dict[str, float]:
    """1 is best: the rank among `methods` in each pair and metric by the mean over cases, then the mean."""
    ranks: dict[str, list[float]] = {method: [] for method in methods}
    for pair in dict.fromkeys(row["pair"] for row in rows):
        found = means([row for row in rows if row["pair"] == pair])
        for metric in metrics:
            sign = 1 if METRICS[metric].better == "lower" else -1
            values = np.array([sign * round(found[method][metric], 6) for method in methods])
            for method, value in zip(methods, values, strict=True):
                ranks[method].append(1 + float((values < value).sum()) + float((values == value).sum() - 1) / 2)
    return {method: float(np.mean(each)) for method, each in ranks.items()}


def _ranks(rows: Sequence[Row]) -> str:
    methods = list(means(rows))
    usual, honest = (mean_ranks(rows, names, methods) for names in (USUAL, HONEST))
    lines = [
        [_called(method), f"{honest[method]:.1f}", f"{usual[method]:.1f}"]
        for method in sorted(methods, key=honest.__getitem__)
    ]
    return "## Mean ranks\n\n" + _table(["method", "rank, with guards", "rank, usual eight"], lines)


def _pair(pair: str, rows: Sequence[Row]) -> str:
    found = means(rows)
    order = sorted(found, key=lambda method: -found[method]["Qabf"])
    body = [[_called(method), *(_number(found[method][name]) for name in SHOWN)] for method in order]
    cases = len({row["case"] for row in rows})
    text = [f"## {pair}", f"{cases} slices, means.", _table(["method", *SHOWN], body)]
    known = [name for name in REFERENCES if name in found]
    head = ["method", *(f"{metric} - {name}" for name in known for metric in DIFFERENCES)]
    body = [
        [_called(m), *(f"{found[m][metric] - found[name][metric]:+.3f}" for name in known for metric in DIFFERENCES)]
        for m in order
    ]
    text += ["Differences to the references on the same slices.", _table(head, body)]
    low, high = means(rows, min), means(rows, max)
    body = [
        [_called(m), *(_number((high if METRICS[name].better == "lower" else low)[m][name]) for name in WORST)]
        for m in order
    ]
    return "\n\n".join([*text, "The worst slice of each.", _table(["method", *WORST], body)])


def _lesions(rows: Sequence[Row]) -> str:
    """The patient whose tumour lost most, and the most flicker of any patient."""
    pairs = list(dict.fromkeys(row["pair"] for row in rows))
    head = ["method", *(f"{pair}: {what}" for pair in pairs for what in ("kept", "flicker", "steps"))]
    lines = []
    for method in dict.fromkeys(row["method"] for row in rows):
        line = [_called(method)]
        for pair in pairs:
            found = [row for row in rows if (row["method"], row["pair"]) == (method, pair)]
            line.append(_number(min(row["kept"] for row in found)) if found else "")
            line += [_number(max(row[name] for row in found)) if found else "" for name in ("flicker", "steps")]
        lines.append(line)
    note = (
        "Contrast of tumours against their surroundings, as a share of that in the better source: the worst patient. "
    )
    note += "Flicker is in grey levels, steps are the mean change from slice to slice over the larger one of the "
    note += "sources: the largest of any patient."
    return f"## Lesions\n\n{note}\n\n" + _table(head, lines)


def _costs(rows: Sequence[Row]) -> str:
    labels = list(dict.fromkeys(row["label"] for row in rows))
    by = {(row["label"], row["method"]): row for row in rows}
    lines = []
    for method in dict.fromkeys(row["method"] for row in rows):
        line, found = [_called(method)], [by.get((label, method)) for label in labels]
        for row in found:
            line += ["", ""] if row is None else [f"{row['cpu_s']:.3f}", f"{row['volumes']:.1f}"]
        largest = max((row for row in found if row is not None), key=lambda row: row["voxels"])
        lines.append([*line, f"{largest['cpu_s'] * CUBE / largest['voxels']:.1f}"])
    head = ["method", *(word for label in labels for word in (f"{label}: CPU s", "memory, volumes"))]
    note = "Memory is what a call needs beyond its two inputs, in volumes of float32. The last column is the largest "
    note += "measured volume scaled by voxels."
    return f"## Cost\n\n{note}\n\n" + _table([*head, "256 x 256 x 256, estimated CPU s"], lines)


def _called(method: str) -> str:
    return f"*{method}*" if method in CONTROLS else f"**{method}**" if method in REFERENCES else method


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def values_of(records: Iterable[Row]) -> Mapping[str, Means]:
    """Means by pair, method and metric, for scripts."""
    quality = of_kind(records, "quality")
    pairs = dict.fromkeys(row["pair"] for row in quality)
    return {pair: means([row for row in quality if row["pair"] == pair]) for pair in pairs}
