"""The timer that looks at what is open and passes it on, by each channel at its own pace.

A channel that fails is tried again at the next look; what it has told is a row of the ledger, so that a restart
neither repeats nor forgets.
"""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog

from storage.cases import Cases
from storage.catalogue import Catalogue
from storage.errors import StorageError
from storage.notices import Matter, Notices
from storage.outbox import Outbox

from ..errors import PeerError
from ..observe.metrics import NOTIFICATIONS
from ..settings import NotifySettings, Settings
from .mail import Mail
from .matters import open_matters
from .message import Message, compose
from .webhook import Webhook

log = structlog.get_logger(__name__)

SUMMARY = "summary"
DAY = timedelta(days=1)


class Channel(Protocol):
    """A way to reach people."""

    name: str

    def __call__(self, message: Message) -> None:
        """Pass it on. Raises `PeerError`."""
        ...


class Notifier:
    """Looks between `start` and `stop`. One per node; without a channel it does nothing."""

    def __init__(
        self,
        settings: Settings,
        notices: Notices,
        cases: Cases,
        catalogue: Catalogue,
        outbox: Outbox,
        channels: Sequence[Channel] | None = None,
    ) -> None:
        self._settings = settings
        self._notices = notices
        self._cases, self._catalogue, self._outbox = cases, catalogue, outbox
        notify = settings.notify
        self._channels = _channels(notify) if channels is None else channels
        self._zone = ZoneInfo(settings.node.time_zone)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look now and then every `poll_s`."""
        if self._channels:
            self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Let the look that is under way end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def run_once(self, now: datetime) -> None:
        """Tell what is due at `now`, unless it is quiet time."""
        notify = self._settings.notify
        if is_quiet(now.astimezone(self._zone).time(), notify.quiet):
            return
        matters = open_matters(self._cases, self._catalogue, self._outbox, notify, now)
        for channel in self._channels:
            untold = self._notices.untold(channel.name, matters, now, timedelta(hours=notify.remind_hours))
            at_once = [matter for matter in untold if matter.kind in notify.at_once]
            if self._summary_is_due(channel, now):
                if not matters or self._pass_on(channel, matters, now, summary=True):
                    self._notices.told_in_general(channel.name, SUMMARY, now)
            elif at_once:
                self._pass_on(channel, at_once, now, summary=False)

    def _run(self) -> None:
        while True:
            try:
                self.run_once(datetime.now(UTC))
            except StorageError as error:
                log.warning("what is open could not be looked at", action="notify_failed", error=str(error))
            if self._stopping.wait(self._settings.notify.poll_s):
                return

    def _pass_on(self, channel: Channel, matters: Sequence[Matter], now: datetime, *, summary: bool) -> bool:
        message = compose(matters, now, self._settings.node.ae_title, self._settings.web.public_url, summary=summary)
        try:
            channel(message)
        except PeerError as error:
            NOTIFICATIONS.labels(channel.name, "failed").inc()
            log.warning("people could not be told", action="notify_failed", channel=channel.name, error=str(error))
            return False
        NOTIFICATIONS.labels(channel.name, "told").inc()
        log.info("people were told", action="notified", channel=channel.name, matters=len(matters), summary=summary)
        self._notices.told(channel.name, matters, now)
        return True

    def _summary_is_due(self, channel: Channel, now: datetime) -> bool:
        """Once after `summary_at` of each day; the first one not on the day on which the node begins to tell."""
        at = self._settings.notify.summary_at
        if not at:
            return False
        local = now.astimezone(self._zone)
        today = datetime.combine(local.date(), clock(at), self._zone)
        latest = today if local >= today else today - DAY
        last = self._notices.last_told(channel.name, SUMMARY)
        return last is None or last < latest


def _channels(settings: NotifySettings) -> Sequence[Channel]:
    """What the settings name."""
    channels: list[Channel] = []
    if settings.mail_to:
        channels.append(Mail(settings))
    if settings.webhook:
        channels.append(Webhook(settings))
    return channels


def clock(text: str) -> time:
    """`HH:MM` as a time of day."""
    hours, minutes = text.split(":")
    return time(int(hours), int(minutes))


def is_quiet(at: time, quiet: str) -> bool:
    """Whether `at` lies in `HH:MM-HH:MM`, which may reach over midnight; nothing is never quiet."""
    if not quiet:
        return False
    begin, end = (clock(part) for part in quiet.split("-"))
    return begin <= at < end if begin <= end else at >= begin or at < end
