"""Checking the own log: the tree by `headrace.tlog`, and every row against what its message says.

A record is shown and searched by columns; each of them is derived again from the message's bytes and headers, whose
hashes are in the tree. So a column that was changed behind the service's back is named.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager

from sqlalchemy import RowMapping, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.audit.bookkeeping import read_books
from headrace.audit.domain import Event, Reference
from headrace.audit.log import RECORD, REFERENCE, Log, as_bytes, run
from headrace.audit.records import columns_of, describe, stored
from headrace.tlog import Entry, Finding, Past, SigningKey, TileId, Verdict, check_log, described

COLUMNS = [column for column in RECORD.c if column.name != "position"]
OF_THE_ENTRY = ("stream", "seq", "subject", "id", "type", "source", "time")
"""Columns that the log's entry proves; the others follow from the message alone."""
UNCHECKED = "unchecked"
DIGESTS = ("sha256", "headers")  # told first: what else differs follows from them
Sessions = Callable[[], AbstractAsyncContextManager[AsyncSession]]
Witness = Callable[[], Awaitable[Sequence[Past]]]
"""Checkpoints that are known outside this database; raises Unreadable where nobody can be asked."""


class Unreadable(Exception):
    """Checkpoints that were published cannot be read now, so the log cannot be compared with them."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where, self.reason = where, reason


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
        """Compare stored messages, and every column of theirs, with the entries that were made of them."""
        between = (start, start + len(entries))
        async with self._sessions() as session:
            query = select(*COLUMNS).where(RECORD.c.position >= between[0], RECORD.c.position < between[1])
            rows = (await run(session, query.order_by(RECORD.c.position))).mappings().all()
            references = await _references(session, *between)
        found = zip(entries, rows, strict=False)
        return [
            finding
            for index, (encoded, row) in enumerate(found, start)
            for finding in differing(index, encoded, row, references.get(index, frozenset()))
        ]


def differing(index: int, encoded: bytes, row: RowMapping, references: frozenset[Reference]) -> Iterator[Finding]:
    """What of a row does not follow from its message, or is not what the log's entry says."""
    try:
        entry = Entry.decode(encoded)
        event = derived(row, entry.received)
    except (ValueError, TypeError) as error:
        yield Finding("event", str(index), "an entry and its message", str(error))
        return
    where = described(index, entry)
    for name in sorted(entry.differences(event.entry), key=lambda name: name not in DIGESTS):
        yield Finding("event", f"{where}, its {name}", str(getattr(entry, name)), str(getattr(event.entry, name)))
    for name, expected, found in columns_unlike(row, entry, event):
        yield Finding("index", f"{where}, its {name}", expected, found)
    if references != event.references:
        told, kept = sorted(event.references - references), sorted(references - event.references)
        yield Finding("index", f"{where}, its references", f"also {told}", f"instead {kept}")


def derived(row: RowMapping, received: str) -> Event:
    """The event that a row's message makes; raises ValueError where there is no reading it."""
    headers, body = as_bytes(row["headers"]), as_bytes(row["body"])
    return describe(stored(row["stream"], row["seq"], row["subject"], headers, body, received))


def columns_unlike(row: RowMapping, entry: Entry, event: Event) -> Iterator[tuple[str, str, str]]:
    """Columns that are not what entry and message say: name, what they say, what the column holds."""
    expected = columns_of(event) | {name: getattr(entry, name) for name in OF_THE_ENTRY}
    del expected["body"]  # its digest is the entry's
    for name, value in expected.items():
        if row[name] != value:
            yield name, str(value), str(row[name])


async def _references(session: AsyncSession, start: int, end: int) -> dict[int, frozenset[Reference]]:
    query = select(REFERENCE).where(REFERENCE.c.position >= start, REFERENCE.c.position < end)
    found: dict[int, set[Reference]] = {}
    for row in await run(session, query):
        found.setdefault(row.position, set()).add((row.kind, row.value))
    return {position: frozenset(each) for position, each in found.items()}


async def verify(sessions: Sessions, key: SigningKey, witnesses: Sequence[Witness] = ()) -> Verdict:
    """Recompute everything: messages, columns, entries, tiles, root, signatures, published checkpoints, own tables.

    A witness that cannot be asked is a finding of the kind `unchecked`: what was not compared is not called whole.
    """
    source = StoredLog(sessions, key)
    async with sessions() as session:
        books = await read_books(session, key)
    history = books.history
    unread = list[Finding]()
    for witness in witnesses:
        try:
            history += await witness()
        except Unreadable as error:
            unread.append(Finding(UNCHECKED, error.where, "the checkpoints that were published", error.reason))
    verdict = await check_log(source, key.verifying_key, history=history, check_entries=source.events)
    verdict.findings += [*books.findings, *unread]
    return verdict
