"""The log of what people decided about what was received: which bytes are in use, whose images they are."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from .models import InterventionRow
from .records import Intervention
from .session import Database


class Interventions:
    """The log, for reading."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, limit: int = 100, subject: str = "") -> tuple[Intervention, ...]:
        """The newest first; of one instance, series or study when `subject` names it."""
        wanted = select(InterventionRow).order_by(InterventionRow.id.desc()).limit(limit)
        if subject:
            wanted = wanted.where(InterventionRow.subject == subject)
        with self._database.reading() as session:
            return tuple(
                Intervention(row.at, row.kind, row.subject, row.cause, row.actor, row.details)
                for row in session.scalars(wanted)
            )


def note_intervention(
    session: Session, kind: str, subject: str, cause: str, actor: str, details: Mapping[str, Any]
) -> None:
    """Log it in the transaction that carries it out."""
    session.add(
        InterventionRow(
            at=datetime.now(UTC), kind=kind, subject=subject, cause=cause, actor=actor, details=dict(details)
        )
    )
