"""The prefetcher: takes up what rules miss, asks the peer what it holds, has it sent, and does not give up at once.

Each step is decided by a row of the ledger and ends in one, so that a kill between two of them only delays.
"""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import structlog

from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.errors import StorageError, UnknownRecordError
from storage.fetches import Fetches
from storage.outbox import Outbox
from storage.records import CaseState, Fetch, FetchSeries, FetchState, ReceivedInstance, SeriesState

from ..errors import NodeError, PeerError
from ..network.association import Limits
from ..network.find import find
from ..observe.audit_trail import AuditTrail
from ..observe.metrics import FETCHES
from ..settings import PeerSettings, Settings
from . import dicomweb
from .retrieve import get, move
from .search import IsSame, Search
from .taking import Brought, Take

DAY = timedelta(days=1)
FULL_DAY_WAIT = timedelta(minutes=30)
"""When a peer that was asked for as many studies as a day allows is looked at again."""

GIVEN_UP = frozenset({CaseState.REPLACED, CaseState.WITHDRAWN})

log = structlog.get_logger()


class Prefetcher:
    """Brings partners until it is stopped. One per node."""

    def __init__(
        self,
        settings: Settings,
        fetches: Fetches,
        catalogue: Catalogue,
        cases: Cases,
        outbox: Outbox,
        *,
        is_same: IsSame,
        take: Take,
        unpack: dicomweb.Unpack,
        audit: AuditTrail | None = None,
    ) -> None:
        """`is_same` judges identities as matching does; `take` keeps what comes by C-GET and DICOMweb."""
        self._settings = settings
        self._fetches = fetches
        self._catalogue = catalogue
        self._cases = cases
        self._outbox = outbox
        self._is_same = is_same
        self._take = take
        self._unpack = unpack
        self._audit = audit or AuditTrail.silent()
        self._limits = Limits.of(settings.node)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(settings.prefetch.max_at_once, "prefetch")

    def start(self) -> None:
        """Begin in the background, where some rule asks a peer."""
        if any(rule.prefetch_from for rule in self._settings.rules):
            self._thread = threading.Thread(target=self._run, name="prefetch", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after what is on the wire; the rest is taken up by the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown()

    def run_once(self, now: datetime) -> int:
        """Do everything that is due at `now`; how many steps that were."""
        steps = 0
        while not self._stopping.is_set():
            due = self._fetches.due(now, self._settings.prefetch.max_at_once)
            if not due:
                break
            steps += len(due)
            wait(jobs := [self._pool.submit(self._step, fetch, now) for fetch in due])
            for job in jobs:
                job.result()
        return steps

    def _run(self) -> None:
        while not self._stopping.wait(self._settings.prefetch.poll_s):
            try:
                self.run_once(datetime.now(UTC))
            except StorageError as error:
                log.warning("what is to be fetched cannot be read", action="prefetch_unavailable", reason=str(error))
            except Exception as error:  # noqa: BLE001 - it outlives whatever a round does
                log.error(  # noqa: TRY400 - a traceback with locals would print headers
                    "the prefetcher stumbled", action="prefetch_failed", error=type(error).__name__
                )

    def _step(self, fetch: Fetch, now: datetime) -> None:
        """Find, or bring what was found. Whatever a peer does leads to a row that says when to go on."""
        peer = self._settings.peers.get(fetch.peer)
        if peer is None or peer.prefetch == "no":
            self._end(fetch, FetchState.FAILED, f"the settings do not let the peer {fetch.peer!r} be asked", now)
            return
        try:
            if fetch.state is FetchState.WANTED:
                self._find(fetch, peer, now)
            else:
                self._bring(fetch, peer, now)
        except PeerError as error:
            self._later(fetch, str(error), now, FetchState.FAILED)
        except NodeError as error:
            self._end(fetch, FetchState.FAILED, str(error), now)

    def _find(self, fetch: Fetch, peer: PeerSettings, now: datetime) -> None:
        prefetch = self._settings.prefetch
        if not self._is_needed(fetch):
            self._end(fetch, FetchState.ARRIVED, "it came by itself: a case has its partner", now)
            return
        if self._fetches.studies_since(fetch.peer, now - DAY) >= prefetch.max_per_day:
            self._fetches.wait(
                fetch.fetch_id,
                f"prefetch.max_per_day, {prefetch.max_per_day} studies, is used up",
                now,
                now + FULL_DAY_WAIT,
            )
            return
        search = Search(
            peer,
            prefetch,
            peer.patient_id_domain or self._settings.node.patient_id_domain,
            lambda level, keys: self._asked(peer, level, keys),
            self._is_same,
            self._outbox.made,
        )
        found = search(fetch, now)
        missing = [one for one in found.series if not self._is_here(one)]
        why_not = "; ".join(found.reasons)
        if any(self._is_coming(one) for one in missing):
            again_at = now + timedelta(seconds=prefetch.first_retry_s)
            self._fetches.wait(fetch.fetch_id, "a series of it is coming in at this moment", now, again_at)
        elif missing:
            self._found(fetch, missing, why_not, now)
        elif found.series:
            self._end(fetch, FetchState.ARRIVED, "everything that was found is here", now)
        elif found.reasons:
            self._later(fetch, why_not, now, FetchState.REFUSED)
        else:
            self._later(fetch, "the peer holds no such study", now, FetchState.NOTHING)

    def _found(self, fetch: Fetch, missing: Sequence[FetchSeries], why_not: str, now: datetime) -> None:
        studies = ", ".join(dict.fromkeys(one.study_instance_uid for one in missing))
        reason = f"rule {fetch.rule!r} misses {fetch.modality}: found in study {studies}"
        again_at = now + timedelta(seconds=self._settings.prefetch.first_retry_s)
        mine = self._fetches.found(fetch.fetch_id, missing, f"{reason}; {why_not}".rstrip("; "), now, again_at)
        self._log(fetch).info(
            "a partner was found and is fetched",
            action="partner_found",
            series_instance_uids=[one.series_instance_uid for one in mine],
        )

    def _bring(self, fetch: Fetch, peer: PeerSettings, now: datetime) -> None:
        failures = []
        for one in fetch.series:
            if self._is_here(one):
                continue
            if self._stopping.is_set():
                return
            brought = self._brought(peer, fetch, one)
            if brought.failed or not self._is_here(one):
                failures.append(
                    f"series {one.series_instance_uid}: {brought.came} of {one.instances or '?'} instances came"
                    + (f", {brought.reason}" if brought.reason else "")
                )
        if failures:
            self._later(fetch, "; ".join(failures), now, FetchState.FAILED)
        else:
            self._end(fetch, FetchState.ARRIVED, fetch.reason, now)

    def _brought(self, peer: PeerSettings, fetch: Fetch, series: FetchSeries) -> Brought:
        calling = self._settings.node.ae_title
        keys = {
            "PatientID": fetch.patient.patient_id,
            "StudyInstanceUID": series.study_instance_uid,
            "SeriesInstanceUID": series.series_instance_uid,
        }
        if peer.prefetch == "move":
            return move(peer, calling, keys, calling, limits=self._limits)
        try:
            if peer.prefetch == "get":
                return get(peer, calling, keys, self._take, limits=self._limits)
            return dicomweb.bring(
                peer,
                series.study_instance_uid,
                series.series_instance_uid,
                lambda received: self._take(_from(peer, calling, received)),
                self._unpack,
                most_bytes=self._settings.node.max_instance_bytes,
                limits=self._limits,
            )
        finally:
            self._audit.association_over(peer.ae_title, peer.host)

    def _asked(self, peer: PeerSettings, level: str, keys: Mapping[str, str]) -> list[dict[str, str]]:
        """One query, by the way that the peer's settings name; accounted for."""
        if peer.prefetch == "dicomweb":
            path = "studies"
            if level == "SERIES":
                path += f"/{quote(keys['StudyInstanceUID'])}/series"
                keys = {keyword: value for keyword, value in keys.items() if keyword != "StudyInstanceUID"}
            self._audit.queried(peer.ae_title, peer.host, "QIDO-RS", repr(sorted(keys)).encode())
            return dicomweb.search(peer, path, keys, limits=self._limits)
        return find(
            peer,
            self._settings.node.ae_title,
            level,
            keys,
            limits=self._limits,
            on_query=lambda sop_class, query: self._audit.queried(peer.ae_title, peer.host, sop_class, query),
        )

    def _is_needed(self, fetch: Fetch) -> bool:
        """Whether no live case of the rule has the series that waits."""
        cases = self._cases.of_series(fetch.for_series_uid)
        return not any(case.plan.rule == fetch.rule and case.state not in GIVEN_UP for case in cases)

    def _is_coming(self, series: FetchSeries) -> bool:
        """Whether somebody is sending the series, whoever asked for it."""
        try:
            return self._catalogue.series(series.series_instance_uid).state is SeriesState.RECEIVING
        except UnknownRecordError:
            return False

    def _is_here(self, series: FetchSeries) -> bool:
        """Whether the series is in the catalogue with as many instances as the peer has."""
        try:
            held = self._catalogue.series(series.series_instance_uid).instance_count
        except UnknownRecordError:
            return False
        return held >= max(series.instances, 1)

    def _later(self, fetch: Fetch, reason: str, now: datetime, last: FetchState) -> None:
        prefetch = self._settings.prefetch
        enough = fetch.attempts + 1 >= prefetch.max_attempts
        delay = min(prefetch.first_retry_s * 2.0 ** min(fetch.attempts, 32), prefetch.longest_retry_s)
        self._fetches.retry(fetch.fetch_id, reason, now, None if enough else now + timedelta(seconds=delay), last)
        if enough:
            FETCHES.labels(last.value).inc()
        self._log(fetch).info(
            "a partner did not come", action="partner_not_fetched", reason=reason, given_up=enough, state=last.value
        )

    def _end(self, fetch: Fetch, state: FetchState, reason: str, now: datetime) -> None:
        self._fetches.ended(fetch.fetch_id, state, reason, now)
        FETCHES.labels(state.value).inc()
        self._log(fetch).info("a fetch has ended", action="fetch_ended", state=state.value, reason=reason)

    def _log(self, fetch: Fetch) -> structlog.stdlib.BoundLogger:
        bound: structlog.stdlib.BoundLogger = log.bind(
            peer=fetch.peer, rule=fetch.rule, modality=fetch.modality, series_instance_uid=fetch.for_series_uid
        )
        return bound


def _from(peer: PeerSettings, called_ae_title: str, received: ReceivedInstance) -> ReceivedInstance:
    """An instance out of a file, as the peer's: who issued its Patient ID is known by that."""
    return replace(received, calling_ae_title=peer.ae_title, called_ae_title=called_ae_title, peer_address=peer.host)
