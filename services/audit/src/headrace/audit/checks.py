"""Checking the own log: the tree by `headrace.tlog`, and every stored event against its entry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from sqlalchemy import select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.audit.log import RECORD, Log, run
from headrace.tlog import Entry, Finding, SigningKey, TileId, Verdict, check_log, event_digest

NAMES = ("stream", "seq", "subject", "id", "type", "source", "time")
Sessions = Callable[[], AbstractAsyncContextManager[AsyncSession]]


class StoredLog:
    """Reads the log in many short transactions, so that a long check holds up neither writers nor vacuum."""

    def __init__(self, sessions: Sessions, key: SigningKey) -> None:
        self._sessions, self._key = sessions, key

    async def checkpoint(self) -> str:
        """The newest signed checkpoint."""
        async with self._sessions() as session:
            return await Log(session, self._key).checkpoint()

    async def tile(self, tile: TileId, width: int) -> bytes:
        """Hashes of one tile."""
        async with self._sessions() as session:
            return await Log(session, self._key).tile(tile, width)

    async def entries(self, number: int, width: int) -> bytes:
        """A bundle of entries."""
        async with self._sessions() as session:
            return await Log(session, self._key).entries(number, width)

    async def events(self, start: int, entries: Sequence[bytes]) -> list[Finding]:
        """Compare stored events with the entries that were made of them."""
        return [finding async for finding in self._differing(start, entries)]

    async def _differing(self, start: int, entries: Sequence[bytes]) -> AsyncIterator[Finding]:
        columns = [RECORD.c[name] for name in (*NAMES, "body")]
        query = select(*columns).where(RECORD.c.position >= start, RECORD.c.position < start + len(entries))
        async with self._sessions() as session:
            rows = (await run(session, query.order_by(RECORD.c.position))).all()
        for index, (encoded, row) in enumerate(zip(entries, rows, strict=False), start):
            found = row._mapping
            stored = Entry(sha256=event_digest(found["body"]), **{name: found[name] for name in NAMES})
            if stored.encode() != encoded:
                yield _finding(index, encoded, stored)


def _finding(index: int, encoded: bytes, stored: Entry) -> Finding:
    try:
        entry = Entry.decode(encoded)
    except ValueError as error:
        return Finding("event", str(index), "an entry", str(error))
    field = entry.differences(stored)[0]
    where = f"{index} ({entry.type} {entry.id}, {entry.stream} {entry.seq}), its {field}"
    return Finding("event", where, str(getattr(entry, field)), str(getattr(stored, field)))


async def verify(sessions: Sessions, key: SigningKey) -> Verdict:
    """Recompute everything: events, entries, tiles, root, signatures, and every published checkpoint."""
    source = StoredLog(sessions, key)
    async with sessions() as session:
        history = await Log(session, key).published()
    return await check_log(source, key.verifying_key, history=history, check_entries=source.events)
