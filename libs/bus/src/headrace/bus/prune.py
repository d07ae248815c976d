"""Keeping inbox and outbox small without forgetting what could still come back.

A sent outbox row is needed no more once it is marked: the broker has stored it. It is kept for a minute, for people
who look. A handled inbox row is kept for a minute too, then only the mark of its id (see memory.py), for a week: that
is how long a service may be down, or how old the copy of a database may be that is restored, without anything being
done twice. Both go in small transactions, so that nobody waits for the pruning.
"""

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlmodel import col

from headrace.bus.checkpoints import reach
from headrace.bus.deduplication import day_of, forget, remember
from headrace.bus.store import Clock, Store
from headrace.bus.tables import Inbox, Outbox

KEEP_ROWS = timedelta(seconds=60)
KEEP_MARKS = timedelta(days=7)
EVERY_S = 30.0
STEP = 2_000  # rows a transaction


async def prune(store: Store, clock: Clock) -> tuple[int, int]:
    """Remove what is no longer needed; returns how many inbox and outbox rows went."""
    before = clock() - KEEP_ROWS
    inbox = outbox = 0
    while step := await _inbox(store, before, clock()):
        inbox += step
        await asyncio.sleep(0)
    while step := await _outbox(store, before):
        outbox += step
        await asyncio.sleep(0)
    async with store.write() as session:
        await forget(session, day_of(clock() - KEEP_MARKS))
    return inbox, outbox


async def _inbox(store: Store, before: datetime, now: datetime) -> int:
    columns = (col(Inbox.message_id), col(Inbox.stream), col(Inbox.seq))
    old = select(*columns).where(col(Inbox.done_at) < before).order_by(col(Inbox.done_at)).limit(STEP)
    async with store.read() as session:
        rows = (await (await session.connection()).execute(old)).all()
    if not rows:
        return 0
    async with store.write() as session:
        await remember(session, (row[0] for row in rows), day_of(now))
        for stream in {row[1] for row in rows}:
            await reach(session, stream, seq=max(row[2] for row in rows if row[1] == stream))
        await session.exec(delete(Inbox).where(col(Inbox.message_id).in_([row[0] for row in rows])))
    return len(rows)


async def _outbox(store: Store, before: datetime) -> int:
    old = select(col(Outbox.seq)).where(col(Outbox.sent_at) < before).limit(STEP)
    async with store.write() as session:
        return int((await session.exec(delete(Outbox).where(col(Outbox.seq).in_(old)))).rowcount)
