"""How many instances a series has at the peer that sent it, asked by C-FIND in the background."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

import structlog

from storage.records import SeriesRecord

from ..errors import NodeError
from ..network.application_entity import Limits
from ..network.find import find
from ..settings import PeerSettings, Settings

AT_ONCE = 2
MOST_REMEMBERED = 1000
LIMITS = Limits(acse_timeout_s=10, dimse_timeout_s=30, network_timeout_s=30)
"""A peer that does not answer must not hold up the others for long."""

log = structlog.get_logger()


class SourceCount:
    """Asks peers of the settings that have `count_by_find`."""

    def __init__(self, settings: Settings) -> None:
        self._peers = {peer.ae_title.strip(): peer for peer in settings.peers.values() if peer.count_by_find}
        self._calling_ae_title = settings.node.ae_title
        self._pool = ThreadPoolExecutor(AT_ONCE, "source-count")
        self._asked: dict[tuple[str, datetime], Future[int | None]] = {}

    def asks(self, series: SeriesRecord) -> bool:
        """Whether the answer is still to come; the first call asks."""
        peer = self._peers.get(series.source_ae_title.strip())
        if peer is None:
            return False
        key = (series.series_instance_uid, series.last_received_at)
        if key not in self._asked:
            if len(self._asked) >= MOST_REMEMBERED:
                self._asked.clear()
            self._asked[key] = self._pool.submit(self._ask, peer, series)
        return not self._asked[key].done()

    def answer(self, series: SeriesRecord) -> int | None:
        """What the peer said; None when it was not asked, or gave no number."""
        asked = self._asked.get((series.series_instance_uid, series.last_received_at))
        return asked.result() if asked is not None and asked.done() else None

    def forget(self, series: SeriesRecord) -> None:
        """Ask anew the next time."""
        self._asked.pop((series.series_instance_uid, series.last_received_at), None)

    def close(self) -> None:
        """Ask nobody any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, peer: PeerSettings, series: SeriesRecord) -> int | None:
        """Number of Series Related Instances, which is optional; else instance by instance (PS3.4 C.3.4)."""
        keys = {
            "StudyInstanceUID": series.study.study_instance_uid,
            "SeriesInstanceUID": series.series_instance_uid,
        }
        try:
            for found in find(peer, self._calling_ae_title, "SERIES", keys, limits=LIMITS):
                if found.get("SeriesInstanceUID") == series.series_instance_uid:
                    said = found.get("NumberOfSeriesRelatedInstances", "")
                    if said.isdigit():
                        return int(said)
                    return len(find(peer, self._calling_ae_title, "IMAGE", keys, limits=LIMITS)) or None
        except NodeError as error:
            log.warning(
                "a peer could not be asked how long a series is",
                action="count_not_known",
                series_instance_uid=series.series_instance_uid,
                reason=str(error),
            )
        return None
