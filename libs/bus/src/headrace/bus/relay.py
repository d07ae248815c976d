"""From the outbox to the streams, in the order of commits, for as long as it takes.

Nothing becomes a dead letter because the broker was away: an unsent row waits. A row may be published twice when the
process dies between the acknowledgement and the mark; the broker knows it by its id within the duplicate window, and
every inbox knows it for good.
"""

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Row, and_, func, not_, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from headrace.bus.connection import ACK_TIMEOUT_S, Connection, PubAck
from headrace.bus.errors import BrokerAway, PublishRefused
from headrace.bus.outbox import OUTBOX
from headrace.bus.retry import jitter
from headrace.bus.store import Clock, Store
from headrace.bus.tasks import cancel
from headrace.contracts.subjects import stream_of
from headrace.contracts.topology import load_topology
from headrace.faults import point

log = structlog.get_logger()

WINDOW = 256  # acknowledgements outstanding at once
MARK_AT_ONCE = 1024  # published events whose mark may wait for one common commit
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
        self._waits = False  # something was said that no drain has taken up yet
        self._drains = 0  # ended ones
        self._draining = False
        self._drained = asyncio.Condition()
        self.problem: str | None = None

    def wake(self) -> None:
        """Something waits to be said."""
        self._waits = True
        self._wake.set()

    async def settled(self, longest: float) -> bool:
        """Wait until all that was committed before is published, at most `longest` seconds.

        False where that took longer, or the broker does not take it now; it is published later.
        """
        if not (self._waits or self._draining):
            return True
        target = self._drains + 1 + self._draining
        try:
            async with asyncio.timeout(longest), self._drained:
                await self._drained.wait_for(lambda: self._drains >= target or self.problem is not None)
        except TimeoutError:
            return False
        return self.problem is None and (self._lock is not None or self._is_alone or not await self.unsent())

    @property
    def _is_alone(self) -> bool:
        """Whether no other copy of the service can be the one that relays."""
        return self._store.engine.dialect.name != "postgresql"

    async def start(self) -> None:
        """Begin; what an earlier process left unsent goes first."""
        self._connection.reconnected.append(self.wake)
        self._store.wake = self.wake
        self._task = asyncio.create_task(self._run())

    async def stop(self, *, grace: float = 1.0) -> None:
        """Send what is left, for at most `grace` seconds; the rest waits for the next start."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(grace):
                while self._connection.connected and self.problem is None and await self.unsent():
                    self.wake()
                    await asyncio.sleep(0.01)
        self._connection.reconnected.remove(self.wake)
        await cancel(self._task)
        if self._lock is not None:  # the database frees it with the connection
            await self._lock.execute(text(f"SELECT pg_advisory_unlock({LOCK})"))
            await self._lock.close()

    async def unsent(self) -> int:
        """How many events wait to be said."""
        async with self._store.engine.connect() as connection:
            query = select(func.count()).select_from(OUTBOX).where(OUTBOX.c.sent_at.is_(None))
            return int((await connection.execute(query)).scalar_one())

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                self._waits, self._draining = False, True
                await self._drain()
                self.problem = None
            except (BrokerAway, PublishRefused) as error:
                await self._wait_out(str(error))
            except Exception as error:  # the database is away; nothing is lost while it is
                await self._let_go()
                await self._wait_out(f"{type(error).__name__}: {error}".splitlines()[0])
            await self._tell_of_the_end()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), jitter(POLL_S))

    async def _tell_of_the_end(self) -> None:
        self._draining, self._drains = False, self._drains + 1
        async with self._drained:
            self._drained.notify_all()

    async def _wait_out(self, problem: str) -> None:
        if problem != self.problem:
            log.warning("relay_waits", problem=problem)
        self.problem = problem
        async with self._drained:
            self._drained.notify_all()
        await asyncio.sleep(jitter(0.2))

    async def _drain(self) -> None:
        """Publish all that is unsent; an event that the broker refuses stays, and does not hold up those behind it.

        A stream that takes nothing of a window, because it is full, is left out until the next time: what goes to
        the others does not wait for it.
        """
        if not await self._is_mine():
            return
        after, failure, stored, full = 0, None, list[int](), set[str]()
        try:
            while rows := await self._next(after, full):
                point("relay.read")
                acknowledged, error = await self._publish(rows)
                stored += acknowledged
                failure = failure or error
                if isinstance(error, PublishRefused):
                    full |= _took_none(rows, acknowledged)
                elif error is not None and not acknowledged:  # nobody answers
                    break
                if len(stored) >= MARK_AT_ONCE:
                    await self._mark(stored)
                    stored = []
                after = rows[-1].seq
        finally:
            await self._mark(stored)
        if failure is not None:
            raise failure

    async def _next(self, after: int, without: Collection[str]) -> Sequence[Row[*tuple[Any, ...]]]:
        unsent = and_(OUTBOX.c.sent_at.is_(None), OUTBOX.c.seq > after, *(not_(_goes_to(each)) for each in without))
        columns = (OUTBOX.c.seq, OUTBOX.c.subject, OUTBOX.c.body, OUTBOX.c.headers)
        async with self._store.engine.connect() as connection:
            return (await connection.execute(select(*columns).where(unsent).order_by(OUTBOX.c.seq).limit(WINDOW))).all()

    async def _publish(self, rows: Sequence[Row[*tuple[Any, ...]]]) -> tuple[list[int], Exception | None]:
        """Send a window; the numbers that the broker has stored, and the first error.

        What goes to one stream goes as one batch, which the broker stores whole, with one sync of its disk, or not at
        all; a batch that it does not take (it knows one of its events already, or refuses one) goes one by one.
        """
        stored, failure = list[int](), None
        for _, run in groupby(rows, key=lambda row: stream_of(row.subject)):
            together = list(run)
            if len(together) > 1 and await self._together(together):
                stored += [row.seq for row in together]
                continue
            done, error = await self._one_by_one(together)
            stored += done
            failure = failure or error
        point("relay.stored")
        return stored, failure

    async def _together(self, rows: Sequence[Row[*tuple[Any, ...]]]) -> bool:
        """Whether the broker has stored all as one batch."""
        messages = [(row.subject, row.body, row.headers) for row in rows]
        try:
            future = await self._connection.publish_batch(messages)
            point("relay.batch_sent")
            await asyncio.wait_for(future, ACK_TIMEOUT_S)
        except PublishRefused as error:
            log.debug("batch_refused", events=len(rows), code=error.code)
            return False
        except TimeoutError as error:
            raise BrokerAway(f"no acknowledgement within {ACK_TIMEOUT_S} s") from error
        return True

    async def _one_by_one(self, rows: Sequence[Row[*tuple[Any, ...]]]) -> tuple[list[int], Exception | None]:
        futures = [await self._connection.publish(row.subject, row.body, row.headers) for row in rows]
        point("relay.sent")
        await asyncio.wait(futures, timeout=ACK_TIMEOUT_S)
        errors = [_error(future) for future in futures]
        stored = [row.seq for row, error in zip(rows, errors, strict=True) if error is None]
        return stored, next((error for error in errors if error is not None), None)

    async def _mark(self, stored: Sequence[int]) -> None:
        if stored:
            async with self._store.write() as session:
                sent = update(OUTBOX).where(OUTBOX.c.seq.in_(stored)).values(sent_at=self._clock())
                await (await session.connection()).execute(sent)
            point("relay.marking")

    async def _is_mine(self) -> bool:
        """On PostgreSQL several copies of a service share a database: one of them relays."""
        if self._is_alone or self._lock is not None:
            return True
        connection = await self._store.engine.connect()
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        if (await connection.execute(text(f"SELECT pg_try_advisory_lock({LOCK})"))).scalar():
            self._lock = connection
            return True
        await connection.close()
        return False

    async def _let_go(self) -> None:
        """The database was away, and the lock with the connection that held it."""
        lock, self._lock = self._lock, None
        if lock is not None:
            with contextlib.suppress(Exception):
                await lock.invalidate()
                await lock.close()


def _took_none(rows: Sequence[Row[*tuple[Any, ...]]], stored: Collection[int]) -> set[str]:
    """The streams that stored nothing of a window."""
    return {stream_of(row.subject) for row in rows} - {stream_of(row.subject) for row in rows if row.seq in stored}


def _goes_to(stream: str) -> ColumnElement[bool]:
    subjects = load_topology().streams[stream].subjects
    return or_(*(OUTBOX.c.subject.startswith(each.removesuffix(">"), autoescape=True) for each in subjects))


def _error(future: "asyncio.Future[PubAck]") -> Exception | None:
    if not future.done():
        future.cancel()
        return BrokerAway(f"no acknowledgement within {ACK_TIMEOUT_S} s")
    error = future.exception()
    return error if isinstance(error, Exception) else None
