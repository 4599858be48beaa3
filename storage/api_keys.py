"""The keys of scripts. A key is told once, when it is made; its SHA-256 is kept."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import or_, select, update

from .errors import AlreadyThereError, UnknownRecordError
from .insertion import insert_new
from .models import ApiKeyRow
from .records import ApiKey, Role
from .session import Database
from .web_sessions import digest_of

USED_EVERY = timedelta(minutes=1)
"""How fine the last use is noted."""


class ApiKeys:
    """The keys. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, name: str, role: Role, scopes: Sequence[str], created_by: str, expires_at: datetime | None
    ) -> tuple[str, ApiKey]:
        """A new key: its secret, which is told only now, and what is kept. Raises `AlreadyThereError`."""
        secret = f"dn_{secrets.token_urlsafe(32)}"
        with self._database.session() as session:
            is_new = insert_new(
                session,
                ApiKeyRow,
                name=name,
                key_digest=digest_of(secret),
                role=role,
                scopes=list(scopes),
                created_by=created_by,
                created_at=datetime.now(UTC),
                expires_at=expires_at,
                last_used_at=None,
            )
            if not is_new:
                raise AlreadyThereError(f"there is a key {name!r} already")
            row = session.scalars(select(ApiKeyRow).where(ApiKeyRow.name == name)).one()
            return secret, _key_of(row)

    def get(self, secret: str, now: datetime) -> ApiKey | None:
        """The key of that secret, unless it is over; that it is used is noted."""
        wanted = select(ApiKeyRow).where(
            ApiKeyRow.key_digest == digest_of(secret), or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > now)
        )
        with self._database.reading() as session:
            row = session.scalars(wanted).one_or_none()
            found = None if row is None else _key_of(row)
        if found is not None and (found.last_used_at is None or now - found.last_used_at > USED_EVERY):
            with self._database.session() as session:
                session.execute(update(ApiKeyRow).where(ApiKeyRow.id == found.key_id).values(last_used_at=now))
        return found

    def list(self) -> tuple[ApiKey, ...]:
        """Every key, by name."""
        with self._database.reading() as session:
            return tuple(_key_of(row) for row in session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.name)))

    def remove(self, name: str) -> None:
        """From now on it opens nothing. Raises `UnknownRecordError`."""
        with self._database.session() as session:
            row = session.scalars(select(ApiKeyRow).where(ApiKeyRow.name == name)).one_or_none()
            if row is None:
                raise UnknownRecordError(f"there is no key {name!r}")
            session.delete(row)


def _key_of(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        row.id,
        row.name,
        row.role,
        tuple(row.scopes),
        row.created_by,
        row.created_at,
        row.expires_at,
        row.last_used_at,
    )
