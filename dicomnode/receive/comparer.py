"""Asks a process of its own whether two files say the same: no decoder runs where instances are promised to be kept."""

import json
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import structlog

from .same_content import Difference

ANSWER_WITHIN_S = 120.0
"""A long multi-frame image takes seconds; a decoder that hangs must not keep a sender for ever."""

log = structlog.get_logger()


class Comparer:
    """Callable from any thread, one question at a time. The process starts with the first one, and ends with us."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, kept: Path, came: Path) -> Difference | None:
        """What the two files say differently; None when that cannot be told."""
        with self._lock:
            try:
                answer = self._asked(json.dumps([str(kept), str(came)]))
            except (OSError, ValueError) as error:
                log.warning("two instances cannot be compared", action="comparison_failed", error=type(error).__name__)
                self._end()
                return None
        if "error" in answer:
            log.warning("two instances cannot be compared", action="comparison_failed", error=answer["error"])
            return None
        return Difference(tuple(answer["tags"]), answer["pixels"])

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _asked(self, question: str) -> dict[str, Any]:
        process = self._process
        if process is None or process.poll() is not None:
            process = self._process = _started()
        if process.stdin is None or process.stdout is None:
            raise OSError("the process has no pipes")
        process.stdin.write(question + "\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], ANSWER_WITHIN_S)[0]:
            raise TimeoutError
        answer: dict[str, Any] = json.loads(process.stdout.readline())
        return answer

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _started() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dicomnode.receive.same_content"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
