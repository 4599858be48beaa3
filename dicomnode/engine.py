"""Who runs the workers.

`Engine` is the seam: the local one starts `dicomnode work` as processes of its own and starts them again when they
die; a cluster's scheduler can stand behind the same two methods. What is placed is a worker, never voxels: a worker
asks the ledger for its cases.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

WRONG_SETTINGS = 2
"""The exit code of `dicomnode` for wrong usage or settings."""

RESTART_DELAY_S = 2.0
"""A worker that dies at once must not take the machine with it."""


class Engine(Protocol):
    """Keeps workers running."""

    def start(self) -> None:
        """Start the workers; returns at once."""
        ...

    def stop(self) -> None:
        """End the workers; a case under way is left to its lease."""
        ...


class LocalEngine:
    """Worker processes on this machine, so that the receiving process needs no torch and a crash takes no instance."""

    def __init__(self, count: int, config: Path | None, on_refusal: Callable[[], None]) -> None:
        """`on_refusal` is called when a worker ends because the settings are wrong: another start would not help."""
        self.refused = False
        self._on_refusal = on_refusal
        self._count = count
        self._config = config
        self._stopping = threading.Event()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._watcher = threading.Thread(target=self._watch, name="engine", daemon=True)

    def start(self) -> None:
        for number in range(self._count):
            self._processes[number] = self._spawn(number)
        self._watcher.start()

    def stop(self) -> None:
        self._stopping.set()
        self._watcher.join()
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _spawn(self, number: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dicomnode", "work", "--name", f"local-{number}", "--parent", str(os.getpid())]
        if self._config is not None:
            command += ["--config", str(self._config)]
        # With more threads than cores the engines run many times slower, so the workers share the cores.
        threads = max(1, (os.cpu_count() or 1) // self._count)
        environment = {"OMP_NUM_THREADS": str(threads), **os.environ}
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)

    def _watch(self) -> None:
        while not self._stopping.wait(RESTART_DELAY_S):
            for number, process in self._processes.items():
                if process.poll() == WRONG_SETTINGS:
                    self.refused = True
                    self._on_refusal()
                    return
                if process.returncode is not None:
                    log.warning(
                        "a worker died and is started again", action="worker_restarted", code=process.returncode
                    )
                    self._processes[number] = self._spawn(number)
