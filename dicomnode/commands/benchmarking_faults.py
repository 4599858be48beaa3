"""What `benchmark faults` does; `benchmark.py` holds the signature."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..benchmark.faults import measure, page
from ..benchmark.ingest_receivers import RECEIVERS
from ..benchmark.records import Records
from .benchmarking import refuse_unknown
from .terminal import steps


def measure_faults(folder: Path | None, peers: Sequence[str], *, whole: bool) -> dict[str, Any]:
    """Do to the receivers what the records in `folder` lack. Raises `SettingsError` for an unknown peer."""
    refuse_unknown("peer", peers, [name for name in RECEIVERS if name != "ours"])
    with tempfile.TemporaryDirectory() as scratch, steps() as say:
        records = Records((folder or Path(scratch)) / "faults.jsonl")
        measure(("ours", *peers), records, say, whole=whole)
        rows = list(records)
    if folder is not None:
        (folder / "faults.md").write_text(page(rows), encoding="utf-8")
    return {"faults": rows}
