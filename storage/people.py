"""The people who may log in. What a password is hashed with is not decided here."""

from datetime import UTC, datetime

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from .errors import AlreadyThereError, UnknownRecordError
from .insertion import insert_new
from .models import UserRow, WebSessionRow
from .records import Role, User
from .session import Database


class People:
    """The users. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def any(self) -> bool:
        """Whether there is a user at all."""
        with self._database.reading() as session:
            return bool(session.scalar(select(exists().where(UserRow.id.is_not(None)))))

    def add(self, name: str, role: Role, password_hash: str = "", subject: str = "") -> User:
        """A new user. Raises `AlreadyThereError` for a name that is taken, whatever its case."""
        with self._database.session() as session:
            is_new = insert_new(
                session,
                UserRow,
                name=name.strip(),
                folded_name=folded(name),
                role=role,
                password_hash=password_hash,
                subject=subject,
                created_at=datetime.now(UTC),
            )
            if not is_new:
                raise AlreadyThereError(f"there is a user {name!r} already")
            return user_of(_row(session, name))

    def get(self, name: str) -> User:
        """The user of that name. Raises `UnknownRecordError`."""
        with self._database.reading() as session:
            return user_of(_row(session, name))

    def of_subject(self, subject: str) -> User | None:
        """The user whom an identity provider calls so."""
        with self._database.reading() as session:
            row = session.scalars(select(UserRow).where(UserRow.subject == subject)).first() if subject else None
            return None if row is None else user_of(row)

    def list(self) -> tuple[User, ...]:
        """Everybody, by name."""
        with self._database.reading() as session:
            return tuple(user_of(row) for row in session.scalars(select(UserRow).order_by(UserRow.folded_name)))

    def set_password(self, name: str, password_hash: str) -> User:
        """Another password; whoever is logged in under that name no longer is."""
        with self._database.session() as session:
            row = _row(session, name)
            row.password_hash = password_hash
            _log_out(session, row)
            return user_of(row)

    def set_role(self, name: str, role: Role) -> User:
        """Another role; whoever is logged in under that name no longer is. Raises as `remove` does."""
        with self._database.session() as session:
            row = _row(session, name)
            if role is not Role.ADMINISTRATOR:
                _keep_an_administrator(session, row)
            row.role = role
            _log_out(session, row)
            return user_of(row)

    def rehash(self, name: str, password_hash: str) -> None:
        """The same password, hashed anew; nobody is logged out."""
        with self._database.session() as session:
            _row(session, name).password_hash = password_hash

    def remove(self, name: str) -> None:
        """Take the user away, and every login of theirs; what they decided stays with their name.

        Raises `AlreadyThereError` for the last administrator while there are others, who could not be helped any more.
        """
        with self._database.session() as session:
            row = _row(session, name)
            _keep_an_administrator(session, row)
            _log_out(session, row)
            session.delete(row)


def folded(name: str) -> str:
    """What tells two names apart."""
    return " ".join(name.split()).casefold()


def user_of(row: UserRow) -> User:
    """The row as a record."""
    return User(row.id, row.name, row.role, row.password_hash, row.subject, row.created_at)


def _row(session: Session, name: str) -> UserRow:
    row = session.scalars(select(UserRow).where(UserRow.folded_name == folded(name))).one_or_none()
    if row is None:
        raise UnknownRecordError(f"there is no user {name!r}")
    return row


def _log_out(session: Session, row: UserRow) -> None:
    session.execute(delete(WebSessionRow).where(WebSessionRow.user_id == row.id))


def _keep_an_administrator(session: Session, row: UserRow) -> None:
    if row.role is not Role.ADMINISTRATOR:
        return
    others = session.scalars(select(UserRow).where(UserRow.id != row.id)).all()
    if others and all(other.role is not Role.ADMINISTRATOR for other in others):
        raise AlreadyThereError(f"{row.name} is the last administrator; make another one first")
