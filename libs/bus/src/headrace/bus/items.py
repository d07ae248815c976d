"""Items of background loops: how often each was tried, kept where a restart does not forget it.

A try is counted before it is made, since the process may not outlive it; the row goes once the item was handled well.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.dead_letters import plain
from headrace.bus.tables import LoopItem


async def tried(session: AsyncSession, loop: str) -> Sequence[LoopItem]:
    """The items of a loop that were tried and not handled well, those that are set aside among them."""
    return (await session.exec(select(LoopItem).where(col(LoopItem.loop) == loop))).all()


async def count_try(session: AsyncSession, loop: str, key: str, now: datetime) -> LoopItem:
    """Count a try that is about to be made; returns the item's row."""
    row = await session.get(LoopItem, (loop, key), with_for_update=True)
    row = row or LoopItem(loop=loop, key=key, first_tried=now)
    row.attempts += 1
    session.add(row)
    return row


async def note_failure(session: AsyncSession, loop: str, key: str, error: str, *, counted: bool) -> LoopItem | None:
    """Say why a try failed; one that does not count is taken back. None where the item is gone."""
    row = await session.get(LoopItem, (loop, key), with_for_update=True)
    if row is not None:
        row.attempts = max(0, row.attempts - int(not counted))
        row.error = plain(error)
        session.add(row)
    return row


async def forget_items(session: AsyncSession, loop: str, keys: Collection[str]) -> None:
    """Forget items that were handled well."""
    here = (col(LoopItem.loop) == loop) & col(LoopItem.key).in_(keys) & col(LoopItem.dead_letter).is_(None)
    await session.exec(delete(LoopItem).where(here))
