"""Seconds and peak memory of each stage of a case, as the pipeline goes through them."""

import contextlib
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

STAGES = ("load", "register", "assess", "fuse", "encode")

STATUS = Path("/proc/self/status")
FORGET = Path("/proc/self/clear_refs")
FORGET_PEAK = "5"


@dataclass(slots=True)
class Stage:
    """What a stage has cost so far; `peak_mb` is the largest resident set of the process in it, in 10⁶ bytes."""

    name: str
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0


class StageClock:
    """Called with the name of each stage as it begins (`pipeline.Progress`); `stop` ends the last one.

    A stage that comes again, as for a second moving series, is added to.
    """

    def __init__(self) -> None:
        self.stages: dict[str, Stage] = {}
        self._current: Stage | None = None
        self._began = (0.0, 0.0)

    def __call__(self, name: str) -> None:
        self.stop()
        self._current = self.stages.setdefault(name, Stage(name))
        forget_peak()
        self._began = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """The stage under way has ended."""
        stage, self._current = self._current, None
        if stage is not None:
            stage.wall_s += time.perf_counter() - self._began[0]
            stage.cpu_s += time.process_time() - self._began[1]
            stage.peak_mb = max(stage.peak_mb, peak_mb())

    def line(self) -> list[str]:
        """Wall seconds, one cell a stage, and their sum."""
        spent = [self.stages[name].wall_s if name in self.stages else 0.0 for name in STAGES]
        return [f"{seconds:.1f}" for seconds in (*spent, sum(spent))]


def forget_peak() -> None:
    """Let the kernel count the largest resident set from here on, where it can (Linux)."""
    with contextlib.suppress(OSError):
        FORGET.write_text(FORGET_PEAK, encoding="ascii")


def peak_mb() -> float:
    """The largest resident set since `forget_peak`, or of the whole process where the kernel cannot forget."""
    with contextlib.suppress(OSError):
        for line in STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
