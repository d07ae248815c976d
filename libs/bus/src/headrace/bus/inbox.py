"""The inbox: whether a message was handled, and how often it was tried.

A message is claimed by the first statement of its transaction. Where another copy of the service, or one that was
stopped and woken, has it in hand, the claim waits for that one's end; what was done is never done again.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus import sqlite
from headrace.bus.deduplication import known, mark_of
from headrace.bus.messages import RawMessage
from headrace.bus.tables import Inbox
from headrace.contracts import Envelope

INBOX: Table = Inbox.metadata.tables["inbox"]


@dataclass(frozen=True, slots=True)
class Item:
    """A message that was read, under the id by which the inbox knows it."""

    message: RawMessage
    envelope: Envelope
    meant: RawMessage
    """The message itself, or the one that it replays."""

    @property
    def id(self) -> str:
        """The event's id."""
        return self.envelope.id


async def claim(session: AsyncSession, items: Iterable[Item], now: datetime) -> Mapping[str, int]:
    """Mark messages as done in this transaction; returns the ids that were not yet, with their failed attempts.

    In the order of ids, so that two copies of a service never wait for each other in a circle.
    """
    ordered = sorted(items, key=lambda item: item.id)
    connection = await session.connection()
    claimed = _claimed_on_sqlite if connection.dialect.name == "sqlite" else _claimed
    return await claimed(connection, ordered, now)


async def _claimed(connection: AsyncConnection, items: Sequence[Item], now: datetime) -> Mapping[str, int]:
    """The memory is asked after the claims: while they waited, another copy may have pruned what it had done."""
    found = await connection.execute(_CLAIM, [_row(item, now) for item in items])
    fresh = {row.message_id: row.attempts for row in found}
    for old in await known(connection, fresh):  # its row was pruned, and it comes again
        del fresh[old]
    return fresh


async def _claimed_on_sqlite(connection: AsyncConnection, items: Sequence[Item], now: datetime) -> Mapping[str, int]:
    """SQLite has one writer at a time, so that the memory can be asked in the same statement.

    All are claimed in one visit to the connection's thread, and a lone message, for which somebody waits, in none.
    """
    moment = _MOMENT(now)
    rows = [(item.id, item.message.stream, item.message.seq, moment, moment, mark_of(item.id)) for item in items]

    def claim_each(database: sqlite3.Connection) -> Mapping[str, int]:
        found = (row for each in rows for row in database.execute(_CLAIM_ON_SQLITE, each))
        return {message_id: attempts for message_id, attempts, is_known in found if not is_known}

    claimed = sqlite.soon if len(rows) == 1 else sqlite.visit
    return await claimed(connection, claim_each)


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


def _claim() -> Any:
    statement = postgresql.insert(INBOX)
    new = {"done_at": statement.excluded.done_at, "outcome": statement.excluded.outcome}
    not_done = INBOX.c.done_at.is_(None)
    upsert = statement.on_conflict_do_update(index_elements=[INBOX.c.message_id], set_=new, where=not_done)
    return upsert.returning(INBOX.c.message_id, INBOX.c.attempts)


_CLAIM = _claim()
_CLAIM_ON_SQLITE = """
INSERT INTO inbox (message_id, stream, seq, attempts, first_seen, done_at, outcome)
VALUES (?, ?, ?, 0, ?, ?, 'done')
ON CONFLICT (message_id) DO UPDATE SET done_at = excluded.done_at, outcome = excluded.outcome
WHERE inbox.done_at IS NULL
RETURNING message_id, attempts, EXISTS (SELECT 1 FROM deduplication WHERE mark = ?)
"""
_MOMENT: Any = INBOX.c.done_at.type.bind_processor(sqlite_dialect.dialect())  # as SQLAlchemy writes it there
