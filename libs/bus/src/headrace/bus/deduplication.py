"""What the inbox remembers of rows that were pruned: sixteen bytes an id instead of a row of three hundred.

An event can come again long after it was handled: said twice by a service that died between the broker's
acknowledgement and its own mark and was down for days, or by one whose database was restored from an older copy.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from hashlib import blake2b

from sqlalchemy import Table, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.tables import DeduplicationMark
from headrace.bus.upsert import put_rows

MARKS: Table = DeduplicationMark.metadata.tables["deduplication"]
_KNOWN = select(MARKS.c.mark).where(MARKS.c.mark.in_(bindparam("marks", expanding=True)))


def mark_of(message_id: str) -> bytes:
    """128 bits of an id: among a billion ids two are the same once in 10^20."""
    return blake2b(message_id.encode(), digest_size=16).digest()


def day_of(moment: datetime) -> int:
    """Days since 1970, in UTC."""
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days


async def remember(session: AsyncSession, ids: Iterable[str], day: int) -> None:
    """Keep the marks of ids."""
    rows = [{"mark": mark, "day": day} for mark in sorted({mark_of(each) for each in ids})]
    await put_rows(session, MARKS, rows)


async def known(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Those of `ids` that are remembered."""
    marks = {mark_of(each): each for each in ids}
    if not marks:
        return set()
    found = await connection.execute(_KNOWN, {"marks": list(marks)})
    return {marks[bytes(mark)] for mark in found.scalars()}


async def forget(session: AsyncSession, before: int) -> int:
    """Drop what was remembered before a day; returns how much that was."""
    return int((await (await session.connection()).execute(delete(MARKS).where(MARKS.c.day < before))).rowcount)
