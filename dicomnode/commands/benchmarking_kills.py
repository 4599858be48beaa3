"""What `benchmark kills` does; `benchmark.py` holds the signature."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..benchmark.ingest_receivers import RECEIVERS
from ..benchmark.kills import measure, page
from ..benchmark.records import Records
from .benchmarking import refuse_unknown
from .terminal import steps


def measure_kills(folder: Path | None, peers: Sequence[str], kills: int) -> dict[str, Any]:
    """Kill the receivers that the records in `folder` lack. Raises `SettingsError` for an unknown peer."""
    refuse_unknown("peer", peers, [name for name in RECEIVERS if name != "ours"])
    with tempfile.TemporaryDirectory() as scratch, steps() as say:
        records = Records((folder or Path(scratch)) / "kills.jsonl")
        measure(("ours", *peers), kills, records, say)
        rows = list(records)
    if folder is not None:
        (folder / "kills.md").write_text(page(rows), encoding="utf-8")
    return {"kills": rows}
