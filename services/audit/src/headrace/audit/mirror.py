"""The log copied to the object store, as files that any tlog-tiles tool reads; full tiles are never written twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from sqlalchemy import insert, select, update

from headrace.audit.bookkeeping import CHECKPOINT
from headrace.audit.log import Log, run, table
from headrace.audit.tables import MirrorRow
from headrace.audit.timers import ACTOR, LOOK_EVERY
from headrace.chassis import Every, Runtime, every
from headrace.faults import point
from headrace.objects import ObjectStore, StoreAway
from headrace.tlog import TILE_WIDTH, Checkpoint, SigningKey, TileId, tile_path
from headrace.tlog.tiles import bundle_path, last_tiles, tile_width

MIRROR = table(MirrorRow)
BUCKET = "audit"
ENTRIES = -1  # the "level" of bundles
STEP = 64  # tiles a transaction
LONGEST_COPY = timedelta(hours=1)  # the first copy of a log that is large already


def checkpoint_key(size: int) -> str:
    """Where a published checkpoint lies: its size in twelve digits, so that the newest sorts last."""
    return f"checkpoints/{size:012d}"


def missing(size: int, level: int, done: int) -> Iterator[int]:
    """Numbers of the full tiles of a level that are not copied yet, in a tree of `size`."""
    hashes = size >> (8 * max(level, 0))
    yield from range(done, hashes // TILE_WIDTH)


def mirror(key: SigningKey, store: ObjectStore) -> Every[Runtime, str]:
    """Copy behind every published checkpoint, one after the other; a store that is away is waited for."""

    async def due(runtime: Runtime) -> Mapping[str, str]:
        return await Mirror(runtime, key, store).waiting()

    async def copy(runtime: Runtime, note: str) -> None:
        await Mirror(runtime, key, store).copy(note)

    return every(LOOK_EVERY, due, copy, name="mirror", outages=(StoreAway,), at_once=1, longest=LONGEST_COPY)


class Mirror:
    """Copies tiles first and the checkpoint last: a checkpoint in the bucket has all of its tiles there."""

    def __init__(self, runtime: Runtime, key: SigningKey, store: ObjectStore) -> None:
        self._runtime, self._key, self._store = runtime, key, store

    async def waiting(self) -> Mapping[str, str]:
        """The published checkpoints that are not in the bucket, oldest first, by their keys there."""
        async with self._runtime.session() as session:
            columns = (CHECKPOINT.c.size, CHECKPOINT.c.note)
            query = select(*columns).where(CHECKPOINT.c.mirrored.is_(False)).order_by(CHECKPOINT.c.size)
            return {checkpoint_key(row.size): row.note for row in (await run(session, query)).all()}

    async def copy(self, note: str) -> None:
        """Copy what a published checkpoint needs and the bucket has not, and the checkpoint itself."""
        size = Checkpoint.open(note, self._key.verifying_key).size
        for level in (ENTRIES, *(tile.level for tile, _ in last_tiles(size))):
            await self._full(size, level)
        await self._partial(size)
        await self._store.put(BUCKET, note.encode(), key=checkpoint_key(size), content_type="text/plain")
        point("audit.checkpoint_copied")
        async with self._runtime.work(ACTOR) as work:
            await run(work.session, update(CHECKPOINT).where(CHECKPOINT.c.size == size).values(mirrored=True))

    async def _full(self, size: int, level: int) -> None:
        done = await self._done(level)
        for number in missing(size, level, done):
            await self._put(level, number, TILE_WIDTH)
            done = number + 1
            if done % STEP == 0:
                await self._mark(level, done)
        await self._mark(level, done)

    async def _partial(self, size: int) -> None:
        for tile, width in last_tiles(size):
            if width:
                await self._put(tile.level, tile.number, width)
        if width := tile_width(TileId(0, size // TILE_WIDTH), size):
            await self._put(ENTRIES, size // TILE_WIDTH, width)

    async def _put(self, level: int, number: int, width: int) -> None:
        async with self._runtime.session() as session:
            log = Log(session, self._key)
            if level == ENTRIES:
                path, data = bundle_path(number, width), await log.entries(number, width)
            else:
                tile = TileId(level, number)
                path, data = tile_path(tile, width), await log.tile(tile, width)
        await self._store.put(BUCKET, data, key=path, content_type="application/octet-stream")
        point("audit.tile_copied")

    async def _done(self, level: int) -> int:
        async with self._runtime.session() as session:
            done = await session.scalar(select(MIRROR.c.tiles).where(MIRROR.c.level == level))
        return int(done or 0)

    async def _mark(self, level: int, done: int) -> None:
        async with self._runtime.work(ACTOR) as work:
            changed = await run(work.session, update(MIRROR).where(MIRROR.c.level == level).values(tiles=done))
            if not changed.rowcount:
                await run(work.session, insert(MIRROR).values(level=level, tiles=done))
