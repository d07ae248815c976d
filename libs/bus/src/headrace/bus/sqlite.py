"""SQLite for an event loop, with one visit to the connection's thread a statement.

aiosqlite makes four: one for the cursor, one for the statement, one for the rows, one to close. Each costs a tenth of
a millisecond or so, and between a message and its handler, and again before its commit, there are several statements.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import aiosqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Answer = TypeVar("Answer")

BUSY_MS = 10_000  # how long a statement waits for whoever has the file locked


def connect(database: str, **told: Any) -> "Connection":
    """As `aiosqlite.connect`; the `async_creator_fn` of an engine."""
    told["check_same_thread"] = False  # see `Connection.here`
    connection = Connection(lambda: sqlite3.connect(database, **told), iter_chunk_size=64)
    connection._thread.daemon = True  # as SQLAlchemy has it
    return connection


class Connection(aiosqlite.Connection):
    """aiosqlite's connection and thread, with cursors of our own."""

    def cursor(self) -> "Cursor":  # type: ignore[override]
        """A cursor, which costs nothing before it is used."""
        return Cursor(self)

    async def visit(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Do several things in one visit; what is written belongs to the transaction that is open, or begins one."""
        done: Answer = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]
        return done

    def here(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """As `visit`, but in the caller's own thread: for what takes some microseconds and must come soon.

        It waits for no lock: where another process has the file locked, BlockingIOError is raised at once, and no
        transaction has begun. Nothing else may be at work on this connection, which is so within a transaction.
        """
        database = self._conn
        begins = not database.in_transaction
        database.execute("PRAGMA busy_timeout=0")
        try:
            return work(database)
        except sqlite3.OperationalError as error:
            if begins:
                database.rollback()
            if begins and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise BlockingIOError(str(error)) from error
            raise
        finally:
            database.execute(f"PRAGMA busy_timeout={BUSY_MS}")


async def visit(connection: AsyncConnection, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
    """`Connection.visit` in the transaction of SQLAlchemy's connection. Errors are sqlite3's own."""
    return await (await _under(connection)).visit(work)


async def soon(connection: AsyncConnection, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
    """`Connection.here` in the transaction of SQLAlchemy's connection; a visit where the file is locked."""
    there = await _under(connection)
    with contextlib.suppress(BlockingIOError):
        return there.here(work)
    return await there.visit(work)


@runtime_checkable
class Visited(Protocol):
    """What is asked of the connection under SQLAlchemy's; `Connection` is one, and so is a simulated one."""

    async def visit(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """See `Connection.visit`."""
        ...

    def here(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """See `Connection.here`."""
        ...


async def _under(connection: AsyncConnection) -> Visited:
    if not connection.in_transaction():  # else SQLAlchemy would neither commit nor roll back
        await connection.begin()
    there = (await connection.get_raw_connection()).driver_connection
    if not isinstance(there, Visited):
        raise TypeError(f"an engine made with {__name__}.connect is needed, not one of {type(there).__name__}")
    return there


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
