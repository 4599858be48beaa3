"""Many patients made of one, by the database itself: for measuring an index of a size that nobody has at hand."""

from collections.abc import Mapping

from sqlalchemy import text

from .models import Base
from .session import Database

STRIDE = 1000
"""Between the row IDs of one patient and those of the next."""

TABLES = ("patients", "studies", "series", "instances")
NAMES = frozenset({"patient_id", "folded_id", "study_instance_uid", "series_instance_uid", "sop_instance_uid"})


def multiply(database: Database, lengths: Mapping[str, int], times: int) -> None:
    """Enter the first patient `times` more under other names; `lengths` are how many series and instances there are."""
    with database.connection() as connection:
        for table in TABLES:
            columns = [column.name for column in Base.metadata.tables[table].columns]
            values = ", ".join(_value(name) for name in columns)
            statement = (
                f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 - names of our own tables
                "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :times) "
                f"SELECT {values} FROM {table} AS one CROSS JOIN numbers WHERE one.id <= :length"
            )
            connection.execute(text(statement), {"times": times, "length": lengths.get(table, 1)})
            if not database.is_sqlite:
                sequence = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"  # noqa: S608
                connection.execute(text(sequence))
        connection.execute(text("ANALYZE"))


def _value(name: str) -> str:
    if name == "id" or name.endswith("_row_id"):
        return f"one.{name} + n * {STRIDE}"
    if name == "digest":
        return "substr(one.digest, 1, 56) || substr(CAST(n + 10000000 AS TEXT), 1, 8)"
    return f"one.{name} || '.' || n" if name in NAMES else f"one.{name}"
