"""Noticing a database that is older than what the broker remembers, and asking for what it has missed.

An acknowledgement follows a commit, so the broker can never know of more handled messages than the database; where it
does, the database was restored from an older copy. The durable is then set back to where that copy had got to: what
it knows it knows, the rest is handled again, under the same ids.
"""

from dataclasses import dataclass

import structlog
from sqlalchemy import Table, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.connection import Connection
from headrace.bus.store import Store
from headrace.bus.tables import Inbox, StreamCheckpoint
from headrace.bus.upsert import put_rows
from headrace.contracts.topology import ConsumerSpec

log = structlog.get_logger()


@dataclass(frozen=True)
class InHand:
    """The messages of a stream above `after` and up to `until`: whoever read before us may have died of one of them."""

    stream: str
    after: int
    until: int


CHECKPOINTS: Table = StreamCheckpoint.metadata.tables["stream_checkpoint"]
INBOX: Table = Inbox.metadata.tables["inbox"]


async def reach(session: AsyncSession, stream: str, *, seq: int = 0, floor: int = 0) -> None:
    """Note how far a stream was handled, and how far acknowledged without a gap; neither ever goes back."""
    row = {"stream": stream, "seq": seq, "floor": floor}
    await put_rows(session, CHECKPOINTS, [row], highest=("seq", "floor"))


class CheckpointWatch:
    """A durable's position, compared again and again with what the database knows."""

    def __init__(self, connection: Connection, store: Store, spec: ConsumerSpec) -> None:
        self.spec = spec
        self._connection, self._store = connection, store
        self._handled: int | None = None  # at the last comparison

    async def compare(self) -> InHand | None:
        """Set the durable back where the database is older than it; else note how far all is acknowledged.

        The first comparison returns what the process before this one may have had in hand. It cannot tell an
        acknowledged message from one that the durable's filters pass over, where the next one is unacknowledged; it
        then sets back a durable that was right, which costs a few duplicates. Later ones can: what this process has
        handled is gone only where the database was replaced under it.
        """
        first = self._handled is None
        info = await self._connection.request(f"CONSUMER.INFO.{self.spec.stream}.{self.spec.durable}")
        acknowledged = int(info["ack_floor"]["stream_seq"])
        # after the question: what was acknowledged is committed by now
        known = await _known(self._store, self.spec.stream, acknowledged)
        older = known.open or acknowledged > known.handled if first else known.handled < (self._handled or 0)
        if older:
            await self._set_back(known, acknowledged)
        elif acknowledged > known.floor:
            async with self._store.write() as session:
                await reach(session, self.spec.stream, seq=acknowledged, floor=acknowledged)
        self._handled = known.handled if older else max(known.handled, acknowledged)
        return InHand(self.spec.stream, acknowledged, int(info["delivered"]["stream_seq"])) if first else None

    async def _set_back(self, known: "_Known", acknowledged: int) -> None:
        stream, durable = self.spec.stream, self.spec.durable
        log.warning("database_older_than_broker", stream=stream, handled=known.handled, acknowledged=acknowledged)
        await self._connection.request(f"CONSUMER.RESET.{stream}.{durable}", {"seq": known.floor + 1})


@dataclass(frozen=True)
class _Known:
    """The highest message that the database knows as handled; up to where all were acknowledged; whether any that
    the broker knows as acknowledged is known as not done.
    """

    handled: int
    floor: int
    open: bool


async def _known(store: Store, stream: str, acknowledged: int) -> _Known:
    async with store.read() as session:
        connection = await session.connection()
        query = select(CHECKPOINTS.c.seq, CHECKPOINTS.c.floor).where(CHECKPOINTS.c.stream == stream)
        row = (await connection.execute(query)).first()
        here = INBOX.c.stream == stream
        done = select(func.max(INBOX.c.seq)).where(here, INBOX.c.done_at.is_not(None))
        newest = (await connection.execute(done)).scalar()
        waiting = select(func.min(INBOX.c.seq)).where(here, INBOX.c.done_at.is_(None), INBOX.c.seq <= acknowledged)
        oldest = (await connection.execute(waiting)).scalar()
    return _Known(max(newest or 0, row.seq if row else 0), row.floor if row else 0, oldest is not None)
