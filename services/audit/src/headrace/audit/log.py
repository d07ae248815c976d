"""The log in its tables: appending under one lock, and everything a proof or a check reads.

The tree itself (hashing, tiles, proofs, notes) is the library `headrace.tlog`; here is only where it lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, CursorResult, Executable, Table, delete, func, insert, or_, select, update
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.audit.domain import Event
from headrace.audit.records import CHECKPOINT_SIGNED, columns_of
from headrace.audit.tables import HeadRow, RecordRow, ReferenceRow, TileRow
from headrace.tlog import (
    TILE_WIDTH,
    Checkpoint,
    Edge,
    Kept,
    SigningKey,
    TileId,
    Tiles,
    encode_bundle,
    leaf_hash,
    tiles_needed,
)
from headrace.tlog.tiles import HASH_SIZE, last_tiles

MOST_BYTES = 8 * 2**20  # of the messages in one answer; one alone may be larger
T = TypeVar("T")


def table(row: type[SQLModel]) -> Table:
    """The SQL table of a row class, for statements that move many rows at once."""
    found: Table = row.__table__  # type: ignore[attr-defined]
    return found


async def run(
    session: AsyncSession, statement: Executable, rows: Sequence[Mapping[str, Any]] | None = None
) -> CursorResult[Any]:
    """Run one statement in a session's transaction, without the machinery for mapped objects."""
    return await (await session.connection()).execute(statement, rows)


RECORD, REFERENCE, TILE, HEAD = table(RecordRow), table(ReferenceRow), table(TileRow), table(HeadRow)


@dataclass(frozen=True)
class Head:
    """The newest tree head: its size, signed note, and how much of it no published checkpoint covers."""

    size: int
    note: str
    unpublished: int


class Log:
    """The log of one database. Each method runs in the caller's transaction."""

    def __init__(self, session: AsyncSession, key: SigningKey) -> None:
        self._session, self._key = session, key

    async def lock(self) -> Head:
        """The newest head, held until the transaction ends: appenders, of any process, wait for each other.

        A write as first statement takes the lock on SQLite and PostgreSQL alike.
        """
        locked = await run(self._session, update(HEAD).where(HEAD.c.id == 1).values(id=1))
        if not locked.rowcount:
            await run(self._session, insert(HEAD).values(id=1, size=0, unpublished=0, note=self._sign(Edge())))
        return await self.head()

    async def head(self) -> Head:
        """The newest head; an empty log has one too."""
        row = (await run(self._session, select(HEAD.c.size, HEAD.c.note, HEAD.c.unpublished))).first()
        return Head(row.size, row.note, row.unpublished) if row else Head(0, self._sign(Edge()), 0)

    def _sign(self, edge: Edge) -> str:
        return Checkpoint(self._key.name, edge.size, edge.root()).signed(self._key)

    async def append(self, events: Sequence[Event]) -> Head:
        """Add entries and sign the new head. The caller has locked, and knows that none is here yet."""
        head = await self.lock()
        edge = Edge.of(head.size, await self.tiles([t for t, width in last_tiles(head.size) if width]))
        entries = [event.entry.encode() for event in events]
        await self._insert(head.size, events, entries)
        await self._put_tiles(head.size, edge.append(map(leaf_hash, entries)))
        new = Head(edge.size, self._sign(edge), head.unpublished + sum(map(_counts, events)))
        await run(self._session, update(HEAD).values(size=new.size, note=new.note, unpublished=new.unpublished))
        return new

    async def _insert(self, start: int, events: Sequence[Event], entries: Sequence[bytes]) -> None:
        rows = [{"position": start + i, **columns_of(event), "entry": entries[i]} for i, event in enumerate(events)]
        references = [
            {"kind": kind, "value": value, "position": start + i}
            for i, event in enumerate(events)
            for kind, value in event.references
        ]
        await run(self._session, insert(RECORD), rows)
        if references:
            await run(self._session, insert(REFERENCE), references)

    async def _put_tiles(self, size: int, changed: Mapping[TileId, Sequence[bytes]]) -> None:
        grown = [tile for tile, width in last_tiles(size) if width]
        if grown:
            await run(self._session, delete(TILE).where(_among(grown)))
        rows = [{"level": t.level, "number": t.number, "hashes": b"".join(h)} for t, h in changed.items()]
        await run(self._session, insert(TILE), rows)

    async def tiles(self, wanted: Iterable[TileId]) -> dict[TileId, bytes]:
        """Stored tiles; those missing are left out."""
        ids = list(wanted)
        if not ids:
            return {}
        query = select(TILE.c.level, TILE.c.number, TILE.c.hashes).where(_among(ids))
        return {TileId(row.level, row.number): row.hashes for row in await run(self._session, query)}

    async def prove(self, compute: Callable[[Tiles], T]) -> T:
        """Run a computation over the tree, having read in one query the tiles that it needs."""
        return compute(Tiles(await self.tiles(tiles_needed(compute))))

    # What a check of the log reads (headrace.tlog.LogSource).

    async def checkpoint(self) -> str:
        """The newest signed checkpoint."""
        return (await self.head()).note

    async def tile(self, tile: TileId, width: int) -> bytes:
        """The first `width` hashes of a tile; fewer where there are no more."""
        found = await self.tiles([tile])
        return found.get(tile, b"")[: width * HASH_SIZE]

    async def entries(self, number: int, width: int) -> bytes:
        """A bundle of entries; raises ValueError naming the first that is missing."""
        start = number * TILE_WIDTH
        query = (
            select(RECORD.c.position, RECORD.c.entry)
            .where(RECORD.c.position >= start, RECORD.c.position < start + width)
            .order_by(RECORD.c.position)
        )
        rows = [tuple(row) for row in await run(self._session, query)]
        for expected, (position, _) in enumerate(rows, start):
            if position != expected:
                raise ValueError(f"entry {expected} is missing")
        return encode_bundle(entry for _, entry in rows)

    async def messages(self, start: int, end: int) -> list[Kept]:
        """The messages behind the entries from `start` to `end`, as many as fit into one answer, at least one.

        Raises ValueError naming the first that is missing.
        """
        query = (
            select(RECORD.c.position, func.length(RECORD.c.body))
            .where(RECORD.c.position >= start, RECORD.c.position < end)
            .order_by(RECORD.c.position)
        )
        stop = _fitting([tuple(row) for row in await run(self._session, query)], start)
        kept = select(RECORD.c.headers, RECORD.c.body).where(RECORD.c.position >= start, RECORD.c.position < stop)
        rows = await run(self._session, kept.order_by(RECORD.c.position))
        return [Kept(as_bytes(row.headers), as_bytes(row.body)) for row in rows]

    async def known(self, stream: str, first: int, last: int) -> dict[int, bytes]:
        """Entries of a stream's sequence range that are recorded already."""
        query = select(RECORD.c.seq, RECORD.c.entry).where(
            RECORD.c.stream == stream, RECORD.c.seq >= first, RECORD.c.seq <= last
        )
        return {row.seq: row.entry for row in await run(self._session, query)}

    async def count(self, stream: str, first: int, last: int) -> int:
        """How many of a stream's sequence range are recorded."""
        query = select(func.count()).where(RECORD.c.stream == stream, RECORD.c.seq >= first, RECORD.c.seq <= last)
        return int((await run(self._session, query)).scalar_one())


def as_bytes(value: object) -> bytes:
    """A column of bytes, also where someone put text into it: SQLite keeps what it is given."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def _fitting(rows: Sequence[tuple[int, int]], start: int) -> int:
    """The end of the run of messages, from `start`, that fits into one answer; rows are positions and lengths."""
    size, stop = 0, start
    for position, length in rows:
        size += length
        if position != stop or (size > MOST_BYTES and stop > start):
            break
        stop += 1
    if stop == start:
        raise ValueError(f"message {start} is missing")
    return stop


def _among(tiles: Iterable[TileId]) -> ColumnElement[bool]:
    """Rows of these tiles; in this form SQLite uses the key, while it scans the table for a list of pairs."""
    return or_(*((TILE.c.level == tile.level) & (TILE.c.number == tile.number) for tile in tiles))


def _counts(event: Event) -> bool:
    """A checkpoint's own event asks for no further checkpoint: an idle system must come to rest."""
    return event.type not in CHECKPOINT_SIGNED
