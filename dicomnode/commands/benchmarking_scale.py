"""What `benchmark scale` does; `benchmark.py` holds the signature."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from storage.objects import ObjectStore

from ..benchmark.scale import measure
from .terminal import steps

PATIENTS = {False: 20, True: 5000}


def measure_scale(url: str, *, whole: bool) -> dict[str, Any]:
    """Measure in the database at `url`, which has to be empty; in a file of its own when there is none."""
    with tempfile.TemporaryDirectory() as scratch, steps() as say:
        store = ObjectStore(Path(scratch) / "objects")
        found = measure(url or f"sqlite:///{scratch}/ledger.sqlite", store, PATIENTS[whole], say)
    return {"scale": [asdict(one) for one in found]}
