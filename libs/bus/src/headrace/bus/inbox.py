"""The inbox: whether a message was handled, and how often it was tried.

A message is claimed by the first statement of its transaction. Where another copy of the service, or one that was
stopped and woken, has it in hand, the claim waits for that one's end; what was done is never done again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.memory import known
from headrace.bus.messages import RawMessage
from headrace.bus.tables import Inbox
from headrace.contracts import Envelope

INBOX: Table = Inbox.metadata.tables["inbox"]


@dataclass(frozen=True, slots=True)
class Item:
    """A message that was read, under the id by which the inbox knows it."""

    message: RawMessage
    envelope: Envelope

    @property
    def id(self) -> str:
        """The event's id."""
        return self.envelope.id


async def claim(session: AsyncSession, items: Iterable[Item], now: datetime) -> Mapping[str, int]:
    """Mark messages as done in this transaction; returns the ids that were not yet, with their failed attempts.

    In the order of ids, so that two copies of a service never wait for each other in a circle.
    """
    rows = sorted((_row(item, now) for item in items), key=lambda row: str(row["message_id"]))
    connection = await session.connection()
    found = await connection.execute(_CLAIMS[connection.dialect.name], rows)
    fresh = {row.message_id: row.attempts for row in found}
    for old in await known(session, fresh):  # its row was pruned, and it comes again
        del fresh[old]
    return fresh


async def count(session: AsyncSession, item: Item, now: datetime, *, tries: int, error: str | None) -> Inbox:
    """Add `tries` failed attempts to a message that is not done, and say why; returns its row."""
    row = await session.get(Inbox, item.id, with_for_update=True)
    if row is None:
        row = Inbox(message_id=item.id, stream=item.message.stream, seq=item.message.seq, first_seen=now)
    if row.done_at is None:
        row.attempts = max(0, row.attempts + tries)
        row.error = error or row.error
        session.add(row)
    return row


async def close(session: AsyncSession, message_id: str, now: datetime, *, outcome: str, error: str) -> bool:
    """End a message that is known and not done; False where it was done meanwhile."""
    values = {"done_at": now, "outcome": outcome, "error": error}
    open_ = (INBOX.c.message_id == message_id) & INBOX.c.done_at.is_(None)
    connection = await session.connection()
    ended = await connection.execute(update(INBOX).where(open_).values(**values))
    return bool(ended.rowcount)


def _row(item: Item, now: datetime) -> dict[str, Any]:
    message = item.message
    return {
        "message_id": item.id,
        "stream": message.stream,
        "seq": message.seq,
        "attempts": 0,
        "first_seen": now,
        "done_at": now,
        "outcome": "done",
    }


def _claim(insert: Any) -> Any:
    statement = insert(INBOX)
    new = {"done_at": statement.excluded.done_at, "outcome": statement.excluded.outcome}
    not_done = INBOX.c.done_at.is_(None)
    upsert = statement.on_conflict_do_update(index_elements=[INBOX.c.message_id], set_=new, where=not_done)
    return upsert.returning(INBOX.c.message_id, INBOX.c.attempts)


_CLAIMS = {"sqlite": _claim(sqlite.insert), "postgresql": _claim(postgresql.insert)}
