"""What `benchmark fuse` does. Imports the engines; `benchmark.py` holds the signatures."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from fusion import METHODS
from fusion.methods.published import PUBLISHED

from ..benchmark.fusion_cases import FusionCase, atlas_cases, cube_of, generated_cases, stacked_case
from ..benchmark.fusion_lesions import lesions, measure_lesions
from ..benchmark.fusion_runs import measure_costs, measure_quality, runs_of
from ..benchmark.fusion_sheet import write_sheet
from ..benchmark.fusion_tables import page, values_of
from ..benchmark.records import Records
from ..errors import SettingsError
from .terminal import steps

RECORDS = "records.jsonl"
LEARNED_AFTER_PAPERS = frozenset({"dense_fuse", *PUBLISHED})
"""Measured on planes alone unless asked for: the largest volume takes each of them minutes."""

SMALL_EXTENT, FULL_EXTENT = 48, 256


def measure_fusion(
    folder: Path, methods: Sequence[str], data: Path | None, slices: int | None, *, full: bool
) -> dict[str, Any]:
    """Measure what the records in `folder` lack, then write page and pictures there; what a script wants to know.

    Raises `SettingsError` for an unknown method, or where the images are missing in a full run.
    """
    for name in methods:
        if name not in METHODS:
            raise SettingsError(f"no fusion method is called {name!r}; known are {', '.join(METHODS)}")
    if full and (data is None or not (data / "fusion_pairs").is_dir()):
        raise SettingsError(f"the full benchmark needs the reference images, which are not at {data}: name --data")
    names = tuple(methods) or tuple(METHODS)
    records = Records(folder / RECORDS)
    generated = generated_cases(FULL_EXTENT if full else SMALL_EXTENT)
    cases = [*(atlas_cases(data, slices) if full and data else ()), *generated]
    with steps() as say, one_thread():
        measure_quality(cases, names, records, say, folder)
        measure_costs(generated[0], names, records, say, " x ".join(map(str, generated[0].fixed.grid.shape[1:])))
        if full and data:
            stack = stacked_case(data)
            measure_costs(stack, names, records, say, " x ".join(map(str, stack.fixed.grid.shape)))
            settled = [name for name in names if methods or name not in LEARNED_AFTER_PAPERS]
            cube = cube_of(stack)
            measure_costs(cube, settled, records, say, " x ".join(map(str, cube.fixed.grid.shape)))
            measure_lesions(lesions(data), settled, records, say)
    (folder / "fuse.md").write_text(page(records), encoding="utf-8")
    return {
        "pairs": values_of(records),
        "page": str(folder / "fuse.md"),
        "pictures": [str(path) for path in _sheets(folder, cases, names)],
        "records": str(folder / RECORDS),
    }


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """CPU seconds of one thread compare; several wait for each other on a machine that others use too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _sheets(folder: Path, cases: Sequence[FusionCase], names: Sequence[str]) -> list[Path]:
    written = []
    for pair in dict.fromkeys(case.pair for case in cases):
        shown = [(name, folder / "pictures" / f"{pair}-{name}.png") for name in ("copy A", "copy B", *runs_of(names))]
        written.append(write_sheet(folder / f"{pair}.png", [each for each in shown if each[1].is_file()]))
    return written
