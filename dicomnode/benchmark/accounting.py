"""A program run as /usr/bin/time runs it: CPU seconds of it and its children, wall seconds, peak memory.

The kernel counts the memory of the process that starts another to the started one until it has replaced itself. So
a small process of its own starts the program: a node that holds a gigabyte of images does not show in the figures.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import NodeError

STARTER = """
import json, os, resource, subprocess, sys, threading, time
target, limit, words = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
began = time.perf_counter()
child = subprocess.Popen(words, start_new_session=True)
timer = threading.Timer(limit, lambda: os.killpg(child.pid, 9))
timer.start()
_, status, used = os.wait4(child.pid, 0)
timer.cancel()
unit = 1 if sys.platform == "darwin" else 1024
values = {
    "code": os.waitstatus_to_exitcode(status),
    "cpu_s": used.ru_utime + used.ru_stime,
    "wall_s": time.perf_counter() - began,
    "peak_mb": used.ru_maxrss * unit / 1e6,
}
with open(target, "w") as file:
    json.dump(values, file)
"""

QUIET = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
}
"""One thread each: CPU seconds compare on a machine that others use too."""

LAST_WORDS = 400


@dataclass(frozen=True, slots=True)
class Spent:
    """What a program cost; `peak_mb` is its largest resident set in 10⁶ bytes."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def timed(words: Sequence[str | Path], limit_s: float, *, accepted_codes: Sequence[int] = (0,)) -> Spent:
    """Run `words` to the end. Raises `NodeError` with its last words when it fails or needs longer than `limit_s`."""
    with tempfile.TemporaryDirectory() as folder:
        target, log = Path(folder, "spent.json"), Path(folder, "log.txt")
        starter = [sys.executable, "-I", "-S", "-c", STARTER, str(target), str(limit_s), *map(str, words)]
        with log.open("wb") as output:
            subprocess.run(starter, stdout=output, stderr=output, env={**os.environ, **QUIET}, check=False)
        said = log.read_text(encoding="utf-8", errors="replace").strip()[-LAST_WORDS:]
        if not target.exists():
            raise NodeError(f"{words[0]} could not be started: {said}")
        values = json.loads(target.read_text(encoding="utf-8"))
    if values.pop("code") not in accepted_codes:
        reason = f"it needed longer than {limit_s:.0f} s" if values["wall_s"] >= limit_s else said
        raise NodeError(f"{Path(words[0]).name} failed: {reason}")
    return Spent(**values)
