"""Column types that behave the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Generic, TypeVar

from sqlalchemy import DateTime, Dialect, String, TypeDecorator

State = TypeVar("State", bound=StrEnum)


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC in and out; SQLite would forget the zone. A naive time is refused: nobody can say what it means."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"the ledger keeps aware times, not the naive {value.isoformat()}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class HeaderText(TypeDecorator[str]):
    """Text of a DICOM header. NUL padding and lone surrogates, which PostgreSQL refuses, are left out."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else value.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")


class Named(TypeDecorator[State], Generic[State]):
    """A member of a `StrEnum`, kept by its value."""

    impl = String(16)
    cache_ok = True

    def __init__(self, names: type[State]) -> None:
        super().__init__()
        self.names = names

    def process_bind_param(self, value: State | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else value.value

    def process_result_value(self, value: str | None, dialect: Dialect) -> State | None:  # noqa: ARG002
        return None if value is None else self.names(value)
