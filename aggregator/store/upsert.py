"""Writing many rows: plainly, and by INSERT … ON CONFLICT DO UPDATE, which SQLAlchemy keeps with each dialect."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, insert


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts rows, all with the same columns, straight through the driver.

    The values are of types that both drivers take as they are; having SQLAlchemy look at each of them took a third of all
    the time that writing takes.
    """
    if not rows:
        return
    compiled = insert(table).compile(dialect=connection.dialect, column_keys=list(rows[0]))
    names = getattr(compiled, "positiontup", None)
    values: Any = list(map(itemgetter(*names), rows)) if names else list(rows)  # no table has a single column
    connection.exec_driver_sql(str(compiled), values)


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts rows, all with the same columns; where a primary key is taken, its row gets the new values."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as replacing  # noqa: PLC0415 - the other is 30 ms for nothing
    else:
        from sqlalchemy.dialects.postgresql import insert as replacing  # type: ignore[assignment]  # noqa: PLC0415
    statement = replacing(table)
    keys = [column.name for column in table.primary_key]
    changing = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changing), list(rows))
