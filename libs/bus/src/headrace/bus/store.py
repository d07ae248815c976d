"""What delivery needs of a service's database: sessions, and one writer at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.outbox import said
from headrace.faults import point

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class Store:
    """Sessions of one database. Writers take turns within the process, so that rows commit in the order of their
    numbers, and SQLite never finds its file locked by ourselves.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.wake: Callable[[], None] = lambda: None  # after each commit that said something
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for queries."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session whose changes are committed at the end, whole or not at all."""
        async with self._turn, AsyncSession(self.engine, expire_on_commit=False, autoflush=True) as session:
            yield session
            point("store.before_commit")
            await session.commit()
            point("store.committed")
        if said(session):
            self.wake()


# SQLite's primary codes for: busy, locked, out of memory, read-only, interrupted, I/O, corrupt, full, cannot open,
# protocol, not a database. Its OperationalError also covers a wrong statement, which is a bug and no outage.
_SQLITE_OUTAGES = frozenset({5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 26})


def is_outage(error: BaseException) -> bool:
    """Whether the database itself failed (gone, locked, full), rather than what was asked of it."""
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_OUTAGES
    if isinstance(error, (OperationalError, InterfaceError, OSError, PoolTimeout)):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated
