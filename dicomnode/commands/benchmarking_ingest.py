"""What `benchmark ingest` does; `benchmark.py` holds the signatures."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..benchmark.ingest import draw, full, measure, medians, page, small
from ..benchmark.ingest_receivers import RECEIVERS
from ..benchmark.records import Records
from .benchmarking import refuse_unknown
from .terminal import steps

RECORDS = "records.jsonl"


def measure_ingest(folder: Path | None, peers: Sequence[str], *, whole: bool) -> dict[str, Any]:
    """Measure what the records in `folder` lack; page and picture are written there, nowhere when it is None.

    Raises `SettingsError` for an unknown peer, or one that is not installed.
    """
    refuse_unknown("peer", peers, [name for name in RECEIVERS if name != "ours"])
    plan = (full if whole else small)(("ours", *peers))
    with tempfile.TemporaryDirectory() as scratch, steps() as say:
        records = Records((folder or Path(scratch)) / RECORDS)
        measure(plan, records, say)
        found = medians(list(records))
    values: dict[str, Any] = {"medians": found}
    if folder is not None:
        (folder / "ingest.md").write_text(page(found), encoding="utf-8")
        values |= {"page": str(folder / "ingest.md"), "picture": str(draw(found, folder / "ingest.png"))}
    return values
