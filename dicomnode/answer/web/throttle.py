"""Failed logins slow down the next ones: of the same name from the same address, and of the address altogether."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE_FAILURES = 5
"""How often somebody may mistype."""

FREE_FAILURES_OF_ADDRESS = 50
"""A hospital may come from one address; somebody who tries names has to stop all the same."""

FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 900.0
FORGOTTEN_AFTER_S = 3600.0
MOST_KEYS = 10_000


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0


class Throttle:
    """Counts in memory; a restart forgets. The wait doubles with each failure beyond the free ones."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def wait_s(self, name: str, address: str) -> float:
        """How long the next try has to wait still; 0 when it need not."""
        with self._lock:
            return max(self._left((name, address), FREE_FAILURES), self._left(("", address), FREE_FAILURES_OF_ADDRESS))

    def failed(self, name: str, address: str) -> None:
        """One more."""
        with self._lock:
            for key in ((name, address), ("", address)):
                failures = self._failures.setdefault(key, _Failures())
                if self._clock() - failures.last > FORGOTTEN_AFTER_S:
                    failures.count = 0
                failures.count, failures.last = failures.count + 1, self._clock()
                self._failures.move_to_end(key)
            while len(self._failures) > MOST_KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """The name's failures are forgiven; those of the address are not, or one known password would free the rest."""
        with self._lock:
            self._failures.pop((name, address), None)

    def _left(self, key: tuple[str, str], free: int) -> float:
        failures = self._failures.get(key)
        if failures is None or failures.count < free:
            return 0.0
        wait_s = min(FIRST_WAIT_S * 2.0 ** min(failures.count - free, 30), LONGEST_WAIT_S)
        return max(0.0, failures.last + wait_s - self._clock())
