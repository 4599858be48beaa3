"""What people have been told: one row for each open matter and channel, so that nothing is said twice or forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from .models import NoticeRow
from .session import Database


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that waits for a person: its kind, what it is about, since when, and a sentence without names."""

    kind: str
    subject: str
    since: datetime
    sentence: str


class Notices:
    """What each channel has passed on. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def untold(
        self, channel: str, matters: Sequence[Matter], now: datetime, remind_after: timedelta
    ) -> tuple[Matter, ...]:
        """Of the open matters those that the channel never told, or last told `remind_after` ago.

        What is no longer open is forgotten: should it come again, it is told again.
        """
        names = {(matter.kind, matter.subject) for matter in matters}
        with self._database.session() as session:
            rows = session.scalars(select(NoticeRow).where(NoticeRow.channel == channel)).all()
            over = [row.id for row in rows if (row.kind, row.subject) not in names and row.subject]
            session.execute(delete(NoticeRow).where(NoticeRow.id.in_(over)))
            told = {(row.kind, row.subject): row.told_at for row in rows}
        return tuple(
            matter
            for matter in matters
            if (at := told.get((matter.kind, matter.subject))) is None or at <= now - remind_after
        )

    def told(self, channel: str, matters: Sequence[Matter], now: datetime) -> None:
        """The channel has passed them on."""
        with self._database.session() as session:
            for matter in matters:
                self._tell(session, channel, matter.kind, matter.subject, now)

    def last_told(self, channel: str, kind: str) -> datetime | None:
        """When the channel last passed on what is about nothing in particular, such as the daily summary."""
        wanted = select(NoticeRow.told_at).where(
            NoticeRow.channel == channel, NoticeRow.kind == kind, NoticeRow.subject == ""
        )
        with self._database.reading() as session:
            return session.scalars(wanted).first()

    def told_in_general(self, channel: str, kind: str, now: datetime) -> None:
        """The channel has passed on what is about nothing in particular."""
        with self._database.session() as session:
            self._tell(session, channel, kind, "", now)

    @staticmethod
    def _tell(session: Session, channel: str, kind: str, subject: str, now: datetime) -> None:
        same = (NoticeRow.channel == channel, NoticeRow.kind == kind, NoticeRow.subject == subject)
        if not session.scalars(update(NoticeRow).where(*same).values(told_at=now).returning(NoticeRow.id)).all():
            session.add(NoticeRow(channel=channel, kind=kind, subject=subject, told_at=now))
            session.flush()
