"""What a person has switched on or off; it outlives a restart and holds for every process of the ledger."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from .models import SwitchRow
from .records import Switch
from .session import Database

PAUSE = "pause"
"""While it is on, no worker claims a case."""


class Switches:
    """The switches. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> Switch:
        """How it stands; one that nobody has touched is off."""
        with self._database.reading() as session:
            row = session.get(SwitchRow, name)
            if row is None:
                return Switch(name, is_on=False, reason="", actor="", changed_at=None)
            return Switch(row.name, row.is_on, row.reason, row.actor, row.changed_at)

    def set(self, name: str, actor: str, reason: str, *, is_on: bool) -> Switch:
        """Switch it, as a named person, for a reason."""
        values = {"is_on": is_on, "reason": reason, "actor": actor, "changed_at": datetime.now(UTC)}
        with self._database.session() as session:
            session.merge(SwitchRow(name=name, **values))
        return self.get(name)


def is_on(session: Session, name: str) -> bool:
    """Whether it is on, within somebody else's transaction."""
    return bool(session.scalar(select(SwitchRow.is_on).where(SwitchRow.name == name)))
