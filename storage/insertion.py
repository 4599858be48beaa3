"""Insert a row unless one of its name is there: what makes receiving twice the same as receiving once."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from .models import Base


def insert_new(session: Session, model: type[Base], **values: Any) -> bool:
    """Whether the row is new. Where somebody else is inserting the same one, this waits until they are through."""
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is not one table")
    connection = session.connection()
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insertion = dialect.insert(table).values(**values).on_conflict_do_nothing()
    return connection.execute(insertion.returning(*table.primary_key)).first() is not None
