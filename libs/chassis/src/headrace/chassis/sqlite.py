"""SQLite for an event loop, with one visit to the connection's thread a statement.

aiosqlite makes four: one for the cursor, one for the statement, one for the rows, one to close. Each costs a tenth of
a millisecond or so, and between a message and its handler, and again before its commit, there are several statements.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import aiosqlite


def connect(database: str, **told: Any) -> "Connection":
    """As `aiosqlite.connect`; the `async_creator_fn` of an engine."""
    connection = Connection(lambda: sqlite3.connect(database, **told), iter_chunk_size=64)
    connection._thread.daemon = True  # as SQLAlchemy has it
    return connection


class Connection(aiosqlite.Connection):
    """aiosqlite's connection and thread, with cursors of our own."""

    def cursor(self) -> "Cursor":  # type: ignore[override]
        """A cursor, which costs nothing before it is used."""
        return Cursor(self)


class Cursor:
    """As much of aiosqlite's cursor as SQLAlchemy asks for. All rows come along with the statement."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> "Cursor":
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> "Cursor":
        """Execute a statement, and fetch its rows."""
        await self._connection._execute(self._ask, "execute", statement, parameters)  # type: ignore[no-untyped-call]
        return self

    async def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> "Cursor":
        """Execute a statement for each of many parameters."""
        await self._connection._execute(self._ask, "executemany", statement, parameters)  # type: ignore[no-untyped-call]
        return self

    async def fetchone(self) -> Any:
        """The next row; None at the end."""
        return next(iter(await self.fetchmany(1)), None)

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next rows."""
        most = size or self.arraysize
        taken, self._rows = self._rows[:most], self._rows[most:]
        return taken

    async def fetchall(self) -> list[Any]:
        """All rows that are left."""
        taken, self._rows = self._rows, []
        return taken

    async def close(self) -> None:
        """Nothing more is wanted."""
        self._rows = []

    def _ask(self, how: str, statement: str, parameters: Sequence[Any]) -> None:
        """In the connection's thread."""
        cursor = getattr(self._connection._conn, how)(statement, parameters)
        self.description = cursor.description
        self._rows = cursor.fetchall() if cursor.description else []
        self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        cursor.close()
