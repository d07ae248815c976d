"""From the outbox to the streams, in the order of commits, for as long as it takes.

Nothing is parked because the broker was away: an unsent row waits. A row may be published twice when the process dies
between the acknowledgement and the mark; the broker knows it by its id within the duplicate window, and every inbox
knows it for good.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import structlog
from sqlalchemy import func, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select

from headrace.bus.connection import Connection
from headrace.bus.errors import BrokerAway, PublishRefused
from headrace.bus.policy import jitter
from headrace.bus.store import Clock, Store
from headrace.bus.tables import Outbox
from headrace.bus.tasks import cancel

log = structlog.get_logger()

WINDOW = 256  # acknowledgements outstanding at once
POLL_S = 1.0  # backstop; a commit in this process wakes the relay at once
LOCK = 0x48454144  # "HEAD": one relay per database, whoever holds this advisory lock


class Relay:
    """Publishes what is unsent and marks it; one per database."""

    def __init__(self, store: Store, connection: Connection, *, clock: Clock) -> None:
        self._store = store
        self._connection = connection
        self._clock = clock
        self._wake = asyncio.Event()
        self._lock: AsyncConnection | None = None
        self.problem: str | None = None

    def wake(self) -> None:
        """Something was committed."""
        self._wake.set()

    async def start(self) -> None:
        """Begin; what an earlier process left unsent goes first."""
        self._connection.reconnected.append(self.wake)
        self._task = asyncio.create_task(self._run())

    async def stop(self, *, patience: float = 2.0) -> None:
        """Send what is left, for at most `patience` seconds; the rest waits for the next start."""
        with contextlib.suppress(TimeoutError, BrokerAway, Exception):
            async with asyncio.timeout(patience):
                while self._connection.connected and await self.unsent():
                    self.wake()
                    await asyncio.sleep(0.01)
        await cancel(self._task)
        if self._lock is not None:
            await self._lock.close()

    async def unsent(self) -> int:
        """How many events wait to be said."""
        async with self._store.read() as session:
            found = await session.exec(select(func.count()).select_from(Outbox).where(col(Outbox.sent_at).is_(None)))
            return found.one()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._drain()
                self.problem = None
            except (BrokerAway, PublishRefused) as error:
                await self._wait_out(str(error))
            except Exception as error:  # the database is away; nothing is lost while it is
                await self._wait_out(f"{type(error).__name__}: {error}".splitlines()[0])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), jitter(POLL_S))

    async def _wait_out(self, problem: str) -> None:
        if problem != self.problem:
            log.warning("relay_waits", problem=problem)
        self.problem = problem
        await asyncio.sleep(jitter(0.2))

    async def _drain(self) -> None:
        if not await self._is_mine():
            return
        while rows := await self._next():
            await self._publish(rows)

    async def _next(self) -> Sequence[Outbox]:
        async with self._store.read() as session:
            query = select(Outbox).where(col(Outbox.sent_at).is_(None)).order_by(col(Outbox.seq)).limit(WINDOW)
            return (await session.exec(query)).all()

    async def _publish(self, rows: Sequence[Outbox]) -> None:
        """Send a window, then mark what was acknowledged; what was not stays unsent and is tried again."""
        futures = [await self._connection.publish(row.subject, row.body, row.headers) for row in rows]
        failure: BaseException | None = None
        stored: list[int | None] = []
        done, _ = await asyncio.wait(futures, timeout=5)
        for row, future in zip(rows, futures, strict=True):
            error = future.exception() if future in done else BrokerAway("no acknowledgement within 5 s")
            failure = failure or error
            if error is None:
                stored.append(row.seq)
        await self._mark(stored)
        if failure is not None:
            raise failure

    async def _mark(self, stored: Sequence[int | None]) -> None:
        if stored:
            async with self._store.write() as session:
                await session.exec(update(Outbox).where(col(Outbox.seq).in_(stored)).values(sent_at=self._clock()))

    async def _is_mine(self) -> bool:
        """On PostgreSQL several copies of a service share a database: one of them relays."""
        if self._store.engine.dialect.name != "postgresql" or self._lock is not None:
            return True
        connection = await self._store.engine.connect()
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        if (await connection.execute(text(f"SELECT pg_try_advisory_lock({LOCK})"))).scalar():
            self._lock = connection
            return True
        await connection.close()
        return False
