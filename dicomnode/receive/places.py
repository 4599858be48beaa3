"""How many associations are served at a time, in all and of each peer."""

import threading
from collections import Counter

from ..network.rejection import NO_PLACE, NO_PLACE_FOR_PEER, Rejection


class Places:
    """At most `limit` taken at once, whichever way they are served."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._by_peer: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._taken

    def take(self, peer: str, peer_limit: int) -> Rejection | None:
        """Take one for `peer`, which may have `peer_limit` (0: all there are); why there is none, if so."""
        with self._lock:
            if self._taken >= self._limit:
                return NO_PLACE
            if peer_limit and self._by_peer[peer] >= peer_limit:
                return NO_PLACE_FOR_PEER
            self._taken += 1
            self._by_peer[peer] += 1
            return None

    def give_back(self, peer: str) -> None:
        """One is free again."""
        with self._lock:
            self._taken -= 1
            self._by_peer[peer] -= 1
            if not self._by_peer[peer]:
                del self._by_peer[peer]
