"""The sender: takes what is due from the outbox to the peers, and does not give up.

Each destination has one thread at a time, so that its series keep their order and a dead peer holds up nobody else. A
round begins with what failed least; a peer that does not answer at all is left alone for a short while only.
Everything that has to survive a restart is a row of the outbox; sending again what a peer has is harmless.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import structlog
from pydicom.uid import generate_uid

from storage.errors import StorageError
from storage.objects import ObjectStore
from storage.outbox import Outbox
from storage.records import Delivery, DeliveryState, DerivedInstance

from ..errors import PeerError, PeerUnreachableError
from ..network.association import Limits
from ..network.echo import echo
from ..observe.audit_trail import AuditTrail
from ..observe.metrics import DELIVERIES
from ..settings import PeerSettings, Settings
from .accounting import transfer_of
from .patience import growing
from .storage_commitment import request
from .storage_scu import send_files
from .taking_back import TakingBack
from .transcode import known_transfer_syntax

BATCH = 10
"""Deliveries that are fetched at once."""

LONGEST_HOLD_S = 60.0
"""A peer that did not answer is tried again after so long at the latest: what waits has to go when it is back."""

Clock = Callable[[], datetime]

logger = structlog.get_logger()


@dataclass(slots=True)
class _Round:
    """What goes to one destination at one go. `asks` turns false when the peer cannot be asked for commitments."""

    peer: PeerSettings
    clock: Clock
    asks: bool = True


class Sender:
    """Delivers the outbox to the peers of the settings, over and over until it is stopped."""

    def __init__(self, settings: Settings, outbox: Outbox, store: ObjectStore, audit: AuditTrail | None = None) -> None:
        self._settings = settings
        self._outbox = outbox
        self._store = store
        self._audit = audit or AuditTrail.silent()
        self._limits = Limits.of(settings.node)
        self._taking_back = TakingBack(settings, outbox, store)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(max(1, len(settings.peers) + 1), "sender")
        self._busy: dict[str, Future[None]] = {}
        self._held: dict[str, datetime] = {}  # each entry is written by the thread of its destination alone
        for peer in settings.peers.values():
            for name in peer.transfer_syntaxes:
                known_transfer_syntax(name)

    def start(self) -> None:
        """Begin to deliver in the background."""
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the instances that are on the wire; what is left is sent after the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown()

    def run_once(self, now: datetime) -> int:
        """Try everything that is due at `now`; how many destinations there was something to do for."""
        jobs = self._dispatch(now)
        wait(jobs)
        for job in jobs:
            job.result()
        return len(jobs)

    def _run(self) -> None:
        while not self._stopping.wait(self._settings.sending.poll_s):
            try:
                self._dispatch(datetime.now(UTC))
            except StorageError as error:
                logger.warning("The outbox cannot be read", action="outbox_unavailable", reason=str(error))
            except Exception as error:  # noqa: BLE001 - the sender outlives whatever a round does
                # Of the error only its kind is logged: its message may quote a header.
                logger.error(  # noqa: TRY400 - a traceback with locals would print headers
                    "The sender could not begin", action="sender_failed", error=type(error).__name__
                )

    def _dispatch(self, now: datetime) -> list["Future[None]"]:
        """Hand what is due to one thread a destination; whoever is busy or held is left alone."""
        self._busy = {name: job for name, job in self._busy.items() if not job.done()}
        self._taking_back.write_notes()
        skip = {*self._busy, *(name for name, until in tuple(self._held.items()) if until > now)}
        due = [*self._outbox.due(now, BATCH, skip), *self._outbox.overdue(now, BATCH, skip)]
        due.sort(key=attrgetter("destination"))  # stable: what is due for sending stays before what is overdue
        jobs = []
        for destination, deliveries in groupby(due, attrgetter("destination")):
            job = self._pool.submit(self._carry_out, destination, tuple(deliveries), now)
            self._busy[destination] = job
            jobs.append(job)
        return jobs

    def _carry_out(self, destination: str, deliveries: tuple[Delivery, ...], now: datetime) -> None:
        """One round with a destination. Nobody reads what a thread raises, so that nothing is raised."""
        clock = _clock_from(now)
        try:
            self._work_off(destination, deliveries, clock)
        except StorageError as error:
            # What was done could not be noted: without a pause the same would be sent over and over.
            self._hold(destination, clock, str(error))
        except Exception as error:  # noqa: BLE001 - the sender outlives whatever a round does
            logger.error(  # noqa: TRY400 - a traceback with locals would print headers
                "A round of deliveries broke off",
                action="sender_failed",
                destination=destination,
                error=type(error).__name__,
            )
            self._hold(destination, clock, type(error).__name__)

    def _work_off(self, destination: str, deliveries: tuple[Delivery, ...], clock: Clock) -> None:
        """Deliver in order, as long as the peer answers."""
        peer = self._settings.peers.get(destination)
        if peer is None:
            self._give_back(destination, deliveries)
            return
        this_round = _Round(peer, clock)
        for delivery in deliveries:
            if self._stopping.is_set():
                return
            if not self._outbox.stands(delivery.delivery_id, delivery.state):
                continue  # since it was read its case was withdrawn, or the peer has answered
            try:
                self._deliver(delivery, this_round)
            except PeerError as error:
                if not self._answers(peer):
                    self._hold(destination, clock, str(error))
                    return
            except Exception as error:
                if isinstance(error, StorageError) and error.retry_helps:
                    raise  # the ledger is away, whatever the delivery
                # Of the error only its kind is logged: its message may quote a header.
                _log_of(delivery).warning("A delivery failed", action="delivery_failed", error=type(error).__name__)
                self._outbox.retry(delivery.delivery_id, repr(error), self._retry_at(delivery, clock))

    def _give_back(self, destination: str, deliveries: tuple[Delivery, ...]) -> None:
        known = ", ".join(sorted(self._settings.peers)) or "none"
        reason = f"the settings have no peer {destination!r} any more (known: {known}); add it and retry"
        for delivery in deliveries:
            self._outbox.give_up(delivery.delivery_id, reason)
            _log_of(delivery).warning(
                "A destination is gone from the settings", action="delivery_failed", reason=reason
            )

    def _hold(self, destination: str, clock: Clock, reason: str) -> None:
        hold_s = min(self._settings.sending.first_retry_s, LONGEST_HOLD_S)
        self._held[destination] = clock() + timedelta(seconds=hold_s)
        logger.warning(
            "Deliveries have to wait", action="destination_held", destination=destination, seconds=hold_s, reason=reason
        )

    def _answers(self, peer: PeerSettings) -> bool:
        """Whether the peer is at home, so that what failed says nothing about the next delivery."""
        try:
            echo(peer, self._settings.node.ae_title, limits=self._limits)
        except PeerError:
            return False
        return True

    def _deliver(self, delivery: Delivery, this_round: _Round) -> None:
        if delivery.state is DeliveryState.SENT:
            self._ask_again(delivery, this_round)
        elif self._send(delivery, this_round.peer, this_round.clock):
            said = self._taken_back(delivery, this_round) if delivery.is_note else ""
            self._confirm(delivery, this_round, said)

    def _taken_back(self, note: Delivery, this_round: _Round) -> str:
        """Have the peer delete what the note is about, now that it has the note; what it said against it."""
        try:
            return self._taking_back.delete(note, this_round.peer)
        except PeerError as error:
            self._outbox.retry(note.delivery_id, str(error), self._retry_at(note, this_round.clock))
            _log_of(note).warning("Results could not be deleted", action="results_not_deleted", reason=str(error))
            raise

    def _ask_again(self, delivery: Delivery, this_round: _Round) -> None:
        """The peer has not reported in time: ask once more, or leave it for a person after enough requests."""
        if delivery.attempts >= self._settings.sending.max_attempts:
            reason = f"the peer has everything and did not commit to it after {delivery.attempts} attempts"
            self._outbox.give_up(delivery.delivery_id, f"{reason}: {delivery.last_error or 'it never reported'}")
            _log_of(delivery).warning("A commitment never came", action="delivery_failed", reason=reason)
        elif this_round.asks:
            _log_of(delivery).warning("The commitment is overdue", action="commitment_overdue")
            self._confirm(delivery, this_round)

    def _send(self, delivery: Delivery, peer: PeerSettings, clock: Clock) -> bool:
        """Whether the peer has all of it now."""
        log = _log_of(delivery)
        files, broken = self._files(delivery)
        self._audit.sending(peer.ae_title, peer.host, transfer_of(delivery, files))
        try:
            report = send_files(
                peer,
                self._settings.node.ae_title,
                files,
                limits=self._limits,
                should_stop=lambda: self._must_stop(delivery),
            )
        except PeerError as error:
            self._outbox.retry(delivery.delivery_id, str(error), self._retry_at(delivery, clock))
            DELIVERIES.labels("failed").inc()
            log.warning("A series could not be sent", action="series_not_sent", reason=str(error))
            raise
        if report.stored:
            arrived = [status.path for status in report.instances if status.stored]
            self._audit.sent(peer.ae_title, peer.host, transfer_of(delivery, arrived))
        if report.interrupted:
            log.warning("A series was stopped half-way", action="series_interrupted", instances=report.stored)
            return False
        refused = {**broken, **report.refused}
        if refused:
            reason = f"{len(refused)} of {len(delivery.series.instances)} instances refused"
            self._outbox.refused(delivery.delivery_id, refused, reason, self._retry_at(delivery, clock))
            DELIVERIES.labels("refused").inc()
            log.warning("The peer refused instances", action="instances_refused", refused=sorted(refused))
            return False
        DELIVERIES.labels("sent").inc()
        log.info("A series was sent", action="series_sent", instances=report.stored)
        return True

    def _must_stop(self, delivery: Delivery) -> bool:
        return self._stopping.is_set() or not self._outbox.stands(delivery.delivery_id, DeliveryState.PENDING)

    def _files(self, delivery: Delivery) -> tuple[list[Path], Mapping[str, str]]:
        """What to send: everything the first time, later what the peer refused; and what cannot be read any more."""
        files: list[Path] = []
        broken: dict[str, str] = {}
        for instance in delivery.series.instances:
            if delivery.refused and instance.sop_instance_uid not in delivery.refused:
                continue
            if self._is_sound(instance):
                files.append(self._store.path(instance.stored.digest))
            else:
                broken[instance.sop_instance_uid] = "its bytes in the object store are missing or damaged"
        return files, broken

    def _is_sound(self, instance: DerivedInstance) -> bool:
        try:
            return self._store.verify(instance.stored.digest)
        except StorageError:
            return False

    def _confirm(self, delivery: Delivery, this_round: _Round, said: str = "") -> None:
        """Ask the peer to answer for the series, where it does that; else it is done, and `said` is kept of it.

        The transaction is noted first: the peer may report before it has answered the request. What is not reported
        in time is asked for again, after deadlines that grow, since some archives take hours. A request that fails
        keeps nothing from being sent; where the peer cannot be reached with it, the others wait for their deadlines.
        """
        peer = this_round.peer
        if not peer.storage_commitment:
            self._outbox.sent(delivery.delivery_id, "", None, said)
            return
        commitment_uid = generate_uid()
        longest_s = self._settings.sending.longest_retry_s
        deadline = this_round.clock() + growing(peer.commitment_timeout_s, delivery.attempts, longest_s)
        reason = "" if this_round.asks else "commitment is not requested yet: the request before this one failed"
        reason = "; ".join(part for part in (said, reason) if part)
        if not self._outbox.sent(delivery.delivery_id, commitment_uid, deadline, reason) or not this_round.asks:
            return
        try:
            request(
                peer,
                self._settings.node.ae_title,
                commitment_uid,
                delivery.series.instances,
                self._outbox,
                limits=self._limits,
                patience=self._settings.sending,
            )
        except PeerError as error:
            this_round.asks = not isinstance(error, PeerUnreachableError)
            self._outbox.not_asked(delivery.delivery_id, commitment_uid, str(error))
            _log_of(delivery).warning(
                "Commitment could not be requested", action="commitment_not_requested", reason=str(error)
            )

    def _retry_at(self, delivery: Delivery, clock: Clock) -> datetime | None:
        """When to try again after one more failure; None when there were enough."""
        if delivery.attempts + 1 >= self._settings.sending.max_attempts:
            return None
        return clock() + self._retry_delay(delivery)

    def _retry_delay(self, delivery: Delivery) -> timedelta:
        sending = self._settings.sending
        return growing(sending.first_retry_s, delivery.attempts, sending.longest_retry_s)


def _log_of(delivery: Delivery) -> structlog.stdlib.BoundLogger:
    log: structlog.stdlib.BoundLogger = logger.bind(
        case_id=delivery.case_id,
        destination=delivery.destination,
        series_instance_uid=delivery.series.series_instance_uid,
        kind=delivery.series.kind,
    )
    return log


def _clock_from(now: datetime) -> Clock:
    """Time that runs on from `now`."""
    started = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - started)
