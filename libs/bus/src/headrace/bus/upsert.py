"""Rows put into a table that may hold some of them already: one statement, the same on both databases."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, case
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession


def upsert(
    dialect: str,
    table: Table | type[SQLModel],
    *,
    replace: Iterable[str] = (),
    highest: Iterable[str] = (),
    newer: str | None = None,
) -> sqlite.Insert:
    """An insert; a row whose primary key is there already stays as it is, but for some of its columns.

    Those to `replace` take the new values, those in `highest` the higher of both. With `newer`, a row that is there
    changes only where the new one has at least its value of that column, such as a time.
    """
    into = _table(table)
    new: Any = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(into)
    given, there, key = new.excluded, into.c, list(into.primary_key)
    changes = {name: given[name] for name in replace}
    changes |= {name: case((given[name] > there[name], given[name]), else_=there[name]) for name in highest}
    where = None if newer is None else there[newer] <= given[newer]
    found: sqlite.Insert = (
        new.on_conflict_do_update(index_elements=key, set_=changes, where=where)
        if changes
        else new.on_conflict_do_nothing(index_elements=key)
    )
    return found


async def put_rows(
    session: AsyncSession, table: Table | type[SQLModel], rows: Sequence[Mapping[str, Any]], **how: Any
) -> None:
    """Put any number of rows, in their order, with one statement; `how` is as in `upsert`."""
    if rows:
        connection = await session.connection()
        await connection.execute(upsert(connection.dialect.name, table, **how), list(rows))


async def put_row(session: AsyncSession, row: SQLModel) -> None:
    """Put one row, whole: it takes the place of what is there under its key.

    The session does not hold the row, so what it has loaded of it before is as it was.
    """
    columns = _table(type(row)).c.keys()
    key = {column.name for column in _table(type(row)).primary_key}
    rows = [{name: getattr(row, name) for name in columns}]
    await put_rows(session, type(row), rows, replace=[name for name in columns if name not in key])


def _table(table: Table | type[SQLModel]) -> Table:
    found: Table = table if isinstance(table, Table) else table.__table__  # type: ignore[attr-defined]
    return found
