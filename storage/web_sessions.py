"""The logins: kept here, so that each can be ended from here. A token is 256 random bits and never stored."""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import joinedload

from .models import WebSessionRow
from .people import user_of
from .records import User, WebSession
from .session import Database

SEEN_EVERY = timedelta(minutes=1)
"""How fine the last use is noted; a write for every request would be many."""


class WebSessions:
    """The logins. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, user: User, address: str, now: datetime, lasts: timedelta) -> tuple[str, WebSession]:
        """A new login: its token, which is told only now, and what is kept. Logins that are over are swept away."""
        token = secrets.token_urlsafe(32)
        with self._database.session() as session:
            session.execute(delete(WebSessionRow).where(WebSessionRow.expires_at <= now))
            row = WebSessionRow(
                token_digest=digest_of(token),
                user_id=user.user_id,
                form_word=secrets.token_urlsafe(24),
                address=address,
                created_at=now,
                seen_at=now,
                expires_at=now + lasts,
            )
            session.add(row)
            session.flush()
            return token, WebSession(row.id, user, row.form_word, address, row.created_at, row.seen_at, row.expires_at)

    def get(self, token: str, now: datetime, idle: timedelta) -> WebSession | None:
        """The login of the token, unless it is over or was not used for `idle`; that it is used is noted."""
        wanted = (
            select(WebSessionRow)
            .where(
                WebSessionRow.token_digest == digest_of(token),
                WebSessionRow.expires_at > now,
                WebSessionRow.seen_at > now - idle,
            )
            .options(joinedload(WebSessionRow.user))
        )
        with self._database.reading() as session:
            row = session.scalars(wanted).one_or_none()
            found = None if row is None else _session_of(row)
        if found is not None and now - found.seen_at > SEEN_EVERY:
            with self._database.session() as session:
                session.execute(update(WebSessionRow).where(WebSessionRow.id == found.session_id).values(seen_at=now))
        return found

    def of_user(self, user_id: int, now: datetime) -> tuple[WebSession, ...]:
        """The logins of a user, the newest first."""
        wanted = (
            select(WebSessionRow)
            .where(WebSessionRow.user_id == user_id, WebSessionRow.expires_at > now)
            .options(joinedload(WebSessionRow.user))
            .order_by(WebSessionRow.id.desc())
        )
        with self._database.reading() as session:
            return tuple(_session_of(row) for row in session.scalars(wanted))

    def end(self, session_id: int) -> None:
        """End one login."""
        with self._database.session() as session:
            session.execute(delete(WebSessionRow).where(WebSessionRow.id == session_id))


def digest_of(secret: str) -> str:
    """What is kept of a token or a key: enough to know it again, of no use to who reads the ledger."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _session_of(row: WebSessionRow) -> WebSession:
    return WebSession(
        row.id, user_of(row.user), row.form_word, row.address, row.created_at, row.seen_at, row.expires_at
    )
