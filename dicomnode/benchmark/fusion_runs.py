"""Fuses and measures: quality on every case, and what each method costs; a row each, so that a run goes on."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

import fusion
from fusion import Fused
from fusion.quality import measure
from fusion.volume import Grid, Volume

from ..encode.picture import write_picture
from .fusion_cases import FusionCase
from .records import Records, Row
from .stages import forget_peak, peak_mb

WINDOW = (0.0, 255.0)

REFERENCES: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "maximum": ("maximum", {}),
        "LPmax": ("laplacian_pyramid", {"detail": "max_abs", "base": "max"}),
        "LP_RE": ("laplacian_pyramid", {"detail": "energy", "base": "max"}),
    }
)
"""The strongest simple methods of the literature, in every table; all differences are to these."""

CONTROLS = ("copy A", "copy B", "average")
"""Nothing is fused: a metric that ranks these high proves nothing by itself."""

Say = Callable[[str], None]


def runs_of(names: Iterable[str]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """What is run, by the name in the tables: controls, references, then the methods asked for."""
    return {
        "average": ("average", {}),
        **REFERENCES,
        **{name: (name, {}) for name in names if name not in REFERENCES and name != "average"},
    }


def measure_quality(cases: Iterable[FusionCase], names: Iterable[str], records: Records, say: Say, out: Path) -> None:
    """A row for each case and method; the first case of each pair is kept as a picture of each method."""
    runs, pictured = runs_of(names), set[str]()
    for case in cases:
        first = case.pair not in pictured
        pictured.add(case.pair)
        for name in ("copy A", "copy B", *runs):
            key = f"quality/{case.pair}/{case.name}/{name}"
            picture = out / "pictures" / f"{case.pair}-{name}.png" if first else None
            if key in records and (picture is None or picture.is_file()):
                continue
            say(f"{case.pair} {case.name}: {name}")
            row = _quality(case, name, runs, picture)
            if row is not None and key not in records:
                records.add({"key": key, **row})


def measure_costs(case: FusionCase, names: Iterable[str], records: Records, say: Say, label: str) -> None:
    """A row for each method: CPU seconds and the memory beyond what was there, of one call on `case`."""
    for name, (method, parameters) in runs_of(names).items():
        key = f"cost/{label}/{name}"
        if key in records:
            continue
        say(f"{label}: {name}")
        records.add({"key": key, "label": label, "method": name, **_cost(case, method, parameters)})


def _quality(case: FusionCase, name: str, runs: Mapping[str, Any], picture: Path | None) -> dict[str, Any] | None:
    """The metrics; None for a colour method, which has no grey levels to measure."""
    began = time.process_time()
    if name in ("copy A", "copy B"):
        source = case.fixed if name == "copy A" else case.moved
        fused = Fused(source.voxels / WINDOW[1], source.grid, name, {})
    else:
        method, parameters = runs[name]
        fused = _fused(case, method, parameters)
    seconds = time.process_time() - began
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        write_picture(picture, fused)
    if fused.is_colour:
        return None
    # Rounded as the literature's 8-bit files are, so that its tables can be compared.
    rounded = (fused.image * 255).round() / 255
    values = measure(case.fixed.voxels / WINDOW[1], case.moved.voxels / WINDOW[1], rounded)
    return {"pair": case.pair, "case": case.name, "method": name, "cpu_s": round(seconds, 4), "metrics": values}


def _fused(case: FusionCase, method: str, parameters: Mapping[str, Any]) -> Fused:
    return fusion.fuse(case.fixed, case.moved, method, fixed_window=WINDOW, moved_window=WINDOW, **parameters)


def _cost(case: FusionCase, method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    warm_up = _middle(case)
    _fused(warm_up, method, parameters)  # weights and compiled loops are loaded once a process, not once a case
    volume_mb = case.fixed.voxels.numel() * 4 / 1e6
    forget_peak()
    before, began = peak_mb(), time.process_time()
    _fused(case, method, parameters)
    spent = time.process_time() - began
    return {
        "cpu_s": round(spent, 4),
        "peak_mb": round(max(0.0, peak_mb() - before), 2),
        "volumes": round(max(0.0, peak_mb() - before) / volume_mb, 1),
        "voxels": case.fixed.voxels.numel(),
    }


def _middle(case: FusionCase) -> FusionCase:
    """A corner of 32 x 32 of the first slice."""

    def corner(volume: Volume) -> Volume:
        voxels = volume.voxels[:1, :32, :32].clone(memory_format=torch.contiguous_format)
        slices, rows, columns = voxels.shape
        grid = Grid((slices, rows, columns), volume.grid.affine)
        return Volume(voxels, grid, volume.unit, volume.modality)

    return FusionCase(case.pair, case.name, corner(case.fixed), corner(case.moved))


def of_kind(records: Iterable[Row], kind: str) -> list[Row]:
    """The rows whose key begins with `kind`."""
    return [row for row in records if str(row["key"]).startswith(f"{kind}/")]
