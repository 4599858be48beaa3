"""How many associations are served at a time."""

import threading
from collections.abc import Callable


class Places:
    """At most `limit` taken at once; `others` tells how many are taken elsewhere."""

    def __init__(self, limit: int, others: Callable[[], int]) -> None:
        self._limit = limit
        self._others = others
        self._taken = 0
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """How many are taken here."""
        return self._taken

    def take(self) -> bool:
        """Whether there was one left; then it is taken."""
        with self._lock:
            if self._taken + self._others() >= self._limit:
                return False
            self._taken += 1
            return True

    def give_back(self) -> None:
        """One is free again."""
        with self._lock:
            self._taken -= 1
