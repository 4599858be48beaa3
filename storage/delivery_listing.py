"""Deliveries a page at a time, as a list shows them, and how each destination stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from .models import DeliveryRow
from .records import DeliveryState
from .session import Database


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """A delivery as a list shows it."""

    delivery_id: int
    case_id: str
    destination: str
    kind: str
    description: str
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    last_error: str
    refused: int


class DeliveryListing:
    """Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, state: DeliveryState | None, destination: str, offset: int, limit: int
    ) -> tuple[tuple[DeliveryLine, ...], int]:
        """`limit` deliveries from `offset` on, the newest first, and how many there are altogether."""
        conditions = [
            *([DeliveryRow.state == state] if state is not None else []),
            *([DeliveryRow.destination == destination] if destination else []),
        ]
        series = DeliveryRow.series
        query = (
            select(
                DeliveryRow.id.label("delivery_id"),
                DeliveryRow.case_id,
                DeliveryRow.destination,
                series["kind"].as_string().label("kind"),
                series["description"].as_string().label("description"),
                DeliveryRow.state,
                DeliveryRow.attempts,
                DeliveryRow.next_attempt_at,
                DeliveryRow.last_error,
                DeliveryRow.refused,
            )
            .where(*conditions)
            .order_by(DeliveryRow.id.desc())
            .offset(offset)
            .limit(limit)
        )
        with self._database.reading() as session:
            total = session.scalar(select(func.count()).select_from(DeliveryRow).where(*conditions)) or 0
            return tuple(_line({**row}) for row in session.execute(query).mappings()), total

    def counts(self) -> Mapping[str, Mapping[DeliveryState, int]]:
        """By destination, how many deliveries are in each state."""
        query = select(DeliveryRow.destination, DeliveryRow.state, func.count()).group_by(
            DeliveryRow.destination, DeliveryRow.state
        )
        found: dict[str, dict[DeliveryState, int]] = {}
        with self._database.reading() as session:
            for destination, state, count in session.execute(query):
                found.setdefault(destination, dict.fromkeys(DeliveryState, 0))[state] = count
        return found


def _line(row: Mapping[str, Any]) -> DeliveryLine:
    return DeliveryLine(**{**row, "refused": len(row["refused"])})
