"""Noticing a database that is older than what the broker remembers, and asking for what it has missed.

An acknowledgement follows a commit, so the broker can never know of more handled messages than the database; where it
does, the database was restored from an older copy. The durable is then set back to where that copy had got to: what
it knows it knows, the rest is handled again, under the same ids.
"""

import structlog
from sqlalchemy import Table, case, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.connection import Connection
from headrace.bus.store import Store, upsert
from headrace.bus.tables import Inbox, Reached
from headrace.contracts.topology import ConsumerSpec

log = structlog.get_logger()

REACHED: Table = Reached.metadata.tables["inbox_reached"]
INBOX: Table = Inbox.metadata.tables["inbox"]


async def reach(session: AsyncSession, stream: str, *, seq: int = 0, floor: int = 0) -> None:
    """Note how far a stream was handled, and how far acknowledged without a gap; neither ever goes back."""
    connection = await session.connection()
    new = upsert(connection, REACHED).values(stream=stream, seq=seq, floor=floor)
    there, given = REACHED.c, new.excluded
    higher = {name: case((given[name] > there[name], given[name]), else_=there[name]) for name in ("seq", "floor")}
    await connection.execute(new.on_conflict_do_update(index_elements=[there.stream], set_=higher))


async def catch_up(connection: Connection, store: Store, spec: ConsumerSpec) -> int | None:
    """Set the durable back where the database is older than it; returns the first message that comes again.

    Asked again and again while all is well, it notes how far the broker knows everything to be handled.
    """
    info = await connection.request(f"CONSUMER.INFO.{spec.stream}.{spec.durable}")
    acknowledged = int(info["ack_floor"]["stream_seq"])
    handled, floor = await _known(store, spec.stream)  # after the question: what was acknowledged is committed by now
    if acknowledged <= handled:
        if acknowledged > floor:
            async with store.write() as session:
                await reach(session, spec.stream, floor=acknowledged)
        return None
    log.warning("database_older_than_broker", stream=spec.stream, handled=handled, acknowledged=acknowledged)
    await connection.request(f"CONSUMER.RESET.{spec.stream}.{spec.durable}", {"seq": floor + 1})
    return floor + 1


async def _known(store: Store, stream: str) -> tuple[int, int]:
    """The highest message that the database knows as handled, and up to where all were acknowledged."""
    async with store.read() as session:
        connection = await session.connection()
        query = select(REACHED.c.seq, REACHED.c.floor).where(REACHED.c.stream == stream)
        row = (await connection.execute(query)).first()
        done = select(func.max(INBOX.c.seq)).where(INBOX.c.stream == stream, INBOX.c.done_at.is_not(None))
        newest = (await connection.execute(done)).scalar()
    return max(newest or 0, row.seq if row else 0), row.floor if row else 0
