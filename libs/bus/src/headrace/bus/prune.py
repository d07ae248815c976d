"""Keeping inbox and outbox small without forgetting what could still come back.

A sent outbox row is needed no more once the broker's duplicate window has passed twice. An inbox row is needed while
its message can be delivered again: the broker redelivers what it holds unacknowledged, and after a crash at most the
last moments of what was acknowledged. Rows older than a week are safely behind both. A durable that is made anew
from the first message of a stream would bring older ones again, so the provisioner never does that by itself.
"""

from datetime import timedelta

from sqlalchemy import delete
from sqlmodel import col

from headrace.bus.store import Clock, Store
from headrace.bus.tables import Inbox, Outbox
from headrace.contracts.topology import DUPLICATE_WINDOW_S

KEEP_SENT = timedelta(seconds=2 * DUPLICATE_WINDOW_S)
KEEP_DONE = timedelta(days=7)
EVERY_S = 300.0


async def prune(store: Store, clock: Clock) -> tuple[int, int]:
    """Remove what is no longer needed; returns how many inbox and outbox rows went."""
    now = clock()
    async with store.write() as session:
        done = await session.exec(delete(Inbox).where(col(Inbox.done_at) < now - KEEP_DONE))
        sent = await session.exec(delete(Outbox).where(col(Outbox.sent_at) < now - KEEP_SENT))
    return done.rowcount, sent.rowcount
