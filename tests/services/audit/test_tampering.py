"""What audit shows is proved: every column that was changed behind its back is named, and never believed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from headrace.audit.bookkeeping import CHECKPOINT, KIND, STREAM, parsed
from headrace.audit.checks import UNCHECKED, Unreadable, verify
from headrace.audit.log import HEAD, RECORD, REFERENCE, TILE, Log
from headrace.audit.repository import Repository
from headrace.audit.settings import AuditSettings
from headrace.audit.timers import publish_if_due
from headrace.bus import RawMessage
from headrace.tlog import Checkpoint, Entry, Past, SigningKey

KEY = SigningKey("test-log", b"k" * 32)
PLACE = {"position"}  # not shown, and moving it moves the entry: see test_log


def changed(column: str, before: Any) -> Any:
    """Another value of the same type."""
    if isinstance(before, bytes):
        return before.replace(b"anna", b"carl") if b"anna" in before else before + b" "
    return before + 10_000 if isinstance(before, int) else f"{before or 'some'}x"


@pytest.fixture
async def full(log: Any) -> Any:
    """A log of 300 events by anna, each with causes, a trace, headers and references."""
    told = {"causationid": "e0", "correlationid": "c1", "authid": "key:anna", "data": {"dataset": "f", "version": 2}}
    messages = [log.message(seq, **told) for seq in range(1, 301)]
    await log.hear(*(replace(each, headers={"Nats-Msg-Id": f"m{each.seq}"}) for each in messages))
    assert (await log.verify()).ok
    return log


@pytest.mark.parametrize("column", sorted(set(RECORD.c.keys()) - PLACE))
async def test_every_column_that_was_changed_is_named(full: Any, column: str) -> None:
    """By the check of the whole log, and by the event itself when it is shown."""
    here = RECORD.c.position == 7
    async with full.store.read() as session:
        before = (await session.execute(select(RECORD.c[column]).where(here))).scalar_one()
    await full.tamper(update(RECORD).where(here).values({column: changed(column, before)}))

    verdict = await full.verify()
    async with full.store.read() as session:
        shown, _, _ = await Repository(session).at(7)

    assert verdict.first is not None
    assert verdict.first.where.startswith("7")
    assert shown.altered
    assert shown.authid == "key:anna" or column == "body"
    follows = ("EVENTS 8", "stream EVENTS")  # from another number or stream: a hole, and another last number
    assert not [each for each in verdict.findings if not each.where.startswith(("7", *follows))]


async def test_a_forged_event_that_fits_its_entry_is_named(full: Any) -> None:
    """Message, columns and entry rewritten together do not fit the tree."""
    async with full.store.read() as session:
        row = (await session.execute(select(RECORD).where(RECORD.c.position == 7))).mappings().one()
    forged = RawMessage("EVENTS", 8, row["subject"], {}, row["body"].replace(b"anna", b"carl"), full.now)
    await full.tamper(delete(RECORD).where(RECORD.c.position == 7))
    from headrace.audit.records import columns_of, describe

    record = describe(forged)
    await full.tamper(insert(RECORD).values(position=7, **columns_of(record), entry=record.entry.encode()))
    async with full.store.read() as session:
        shown, _, _ = await Repository(session).at(7)

    assert (shown.authid, shown.altered) == ("key:carl", ("entry",))
    first = (await full.verify()).first
    assert first is not None
    assert (first.what, first.where) == ("entry", "7 in tile/entries/000")


@pytest.mark.parametrize(
    "change",
    [
        delete(REFERENCE).where(REFERENCE.c.position == 7),
        update(REFERENCE).where(REFERENCE.c.position == 7).values(value="f/3"),
        insert(REFERENCE).values(kind="run", value="r9", position=7),
    ],
    ids=["gone", "changed", "added"],
)
async def test_a_changed_reference_is_named(full: Any, change: Any) -> None:
    """What leads from a prediction to its data follows from the messages, too."""
    await full.tamper(change)
    first = (await full.verify()).first
    assert first is not None
    assert (first.what, first.where.endswith("its references")) == ("index", True)


async def publish(full: Any) -> Any:
    """A checkpoint of all that is recorded is published; answers its event as it comes back."""

    async def due(work: Any) -> Any:
        return await publish_if_due(work, AuditSettings(audit_checkpoint_entries=1), KEY)

    await full.do(due)
    (event,) = await full.said()
    body = json.dumps(event).encode()
    return RawMessage("EVENTS", 301, f"headrace.checkpoint.signed.{event['subject']}", {}, body, full.now)


BOOKS = {
    "note": (update(CHECKPOINT).values(note=Checkpoint("test-log", 300, b"x" * 32).signed(KEY)), "300, its note"),
    "no note": (update(CHECKPOINT).values(note="none"), "300, its note"),
    "size": (update(CHECKPOINT).values(size=299), "299, its note"),
    "checkpoint gone": (delete(CHECKPOINT), "checkpoint of size 300"),
    "last": (update(STREAM).values(last=7_000), "stream EVENTS, its last number"),
    "less": (update(STREAM).values(last=3), "stream EVENTS, its last number"),
    "name": (update(STREAM).values(name="OTHER"), "stream EVENTS, its last number"),
    "stream gone": (delete(STREAM), "stream EVENTS, its last number"),
    "head's size": (update(HEAD).values(size=299), "head, its size"),
    "unpublished": (update(HEAD).values(unpublished=9), "head, its unpublished"),
    "at": (update(CHECKPOINT).values(at=7), "300, its at"),
}


@pytest.mark.parametrize("name", BOOKS)
@pytest.mark.parametrize("heard", [True, False], ids=["its event recorded", "its event under way"])
async def test_what_the_service_goes_on_with_is_compared_with_the_records(full: Any, name: str, heard: bool) -> None:
    """A published checkpoint, the last number of a stream and the head's counts: changed or gone, they are named."""
    event = await publish(full)
    if heard:
        await full.hear(event)
    assert (await full.verify()).findings == []
    change, where = BOOKS[name]

    await full.tamper(change)

    named = [each.where for each in (await full.verify()).findings if each.what == KIND]
    hidden = not heard and name in UNSAID
    assert any(where in each for each in named) != hidden


UNSAID = {"at", "checkpoint gone", "note"}
"""What only the event of a checkpoint tells; a note that is signed, and is none of this log, is of its history."""


async def test_a_false_note_of_a_checkpoint_under_way_is_compared_with_the_tree(full: Any) -> None:
    """It is signed, so its row cannot tell; the log does not continue it."""
    await publish(full)
    await full.tamper(BOOKS["note"][0])
    assert [each.what for each in (await full.verify()).findings] == ["history"]


@pytest.mark.parametrize("position", [0, 7, 299])
async def test_a_deleted_row_is_a_finding(full: Any, position: int) -> None:
    """Wherever it was; nothing breaks over it."""
    await full.tamper(delete(RECORD).where(RECORD.c.position == position))
    first = (await full.verify()).first
    assert first is not None
    assert first.what == "entry"


@pytest.mark.parametrize("gone", [delete(TILE), delete(HEAD), update(HEAD).values(note="")])
async def test_a_lost_tree_is_a_finding(full: Any, gone: Any) -> None:
    """Tiles or head gone, or a head that is no checkpoint."""
    published = [Past(Checkpoint("test-log", 300, b"r" * 32), "EVENTS 9")]

    async def said() -> list[Past]:
        return published

    await full.tamper(gone)
    assert not (await verify(full.store.read, KEY, [said])).ok


async def test_a_log_cut_back_to_an_older_head_is_named(full: Any) -> None:
    """Its own tables fit each other; what was published does not continue them, wherever it is kept."""
    async with full.store.read() as session:
        published = Checkpoint.open((await Log(session, KEY).head()).note, KEY.verifying_key)
    older = await _older(full, 200)
    async with full.store.write() as session:
        await session.execute(delete(RECORD).where(RECORD.c.position >= 200))
        await session.execute(delete(REFERENCE).where(REFERENCE.c.position >= 200))
        await session.execute(delete(TILE))
        for level, number, hashes in older.tiles:
            await session.execute(insert(TILE).values(level=level, number=number, hashes=hashes))
        await session.execute(update(HEAD).values(size=200, note=older.note, unpublished=200))
        await session.execute(update(STREAM).values(last=200))

    async def said() -> list[Past]:
        return [Past(published, "EVENTS 301")]

    assert (await full.verify()).ok  # alone, it cannot know
    verdict = await verify(full.store.read, KEY, [said])
    assert [(f.what, f.where) for f in verdict.findings] == [("history", "checkpoint of size 300 (EVENTS 301)")]
    assert verdict.findings[0].found == "200 entries"


async def _older(full: Any, size: int) -> Any:
    """The tree as it was at `size`, signed: what an older copy of the database holds."""
    from types import SimpleNamespace

    from headrace.tlog import Edge, leaf_hash

    async with full.store.read() as session:
        rows = await session.execute(select(RECORD.c.entry).order_by(RECORD.c.position).limit(size))
        leaves = [leaf_hash(entry) for (entry,) in rows]
    edge = Edge()
    tiles = [(tile.level, tile.number, b"".join(hashes)) for tile, hashes in edge.append(leaves).items()]
    return SimpleNamespace(tiles=tiles, note=Checkpoint("test-log", size, edge.root()).signed(KEY))


async def test_what_cannot_be_compared_is_not_called_whole(full: Any) -> None:
    """A broker or store that is away leaves the question open, and says so."""

    async def away() -> list[Past]:
        raise Unreadable("EVENTS", "the broker is away")

    verdict = await verify(full.store.read, KEY, [away])
    assert [(f.what, f.where, f.found) for f in verdict.findings] == [(UNCHECKED, "EVENTS", "the broker is away")]


def test_a_published_note_counts_whoever_signed_it() -> None:
    """A replaced key does not make the old one's checkpoints forgotten; another log's say nothing about this one."""
    old = Checkpoint("test-log", 5, b"r" * 32)
    note = old.signed(SigningKey("test-log", b"o" * 32))
    assert parsed(note, "test-log", "EVENTS 1") == [Past(old, "EVENTS 1")]
    assert parsed(note, "another", "EVENTS 1") == []
    assert parsed("nonsense", "test-log", "EVENTS 1") == []


EXTREME: list[Any] = [
    {"time": "9999-12-31T23:59:59.999999-14:00"},
    {"time": "0001-01-01T00:00:00+14:00"},
    {"time": "9999-12-31T23:59:59Z"},
    {"id": "i" * 20_000, "authid": "a" * 20_000, "correlationid": "c" * 20_000, "key": "k" * 20_000},
    {"id": "nul\x00", "authid": "half\ud800"},
    {"data": {"model": "m", "version": 10**300, "run": "r" * 20_000}},
    {"data": {"labels": [{"prediction_id": "p" * 5_000}, {"prediction_id": 7}, None]}},
]


@pytest.mark.parametrize("attributes", EXTREME, ids=range(len(EXTREME)))
async def test_what_is_extreme_is_recorded_and_the_log_stays_whole(log: Any, attributes: dict[str, Any]) -> None:
    """Times at the calendar's ends, names without end, half characters: recorded, and what follows too."""
    await log.hear(log.message(1), log.message(2, **attributes), log.message(3))

    async with log.store.read() as session:
        rows = (await session.execute(select(RECORD.c.entry, RECORD.c.body).order_by(RECORD.c.position))).all()
        shown, _, _ = await Repository(session).at(1)
    assert [Entry.decode(row.entry).seq for row in rows] == [1, 2, 3]
    assert json.loads(rows[1].body)["specversion"] == "1.0"
    assert shown.altered == ()
    assert (await log.verify()).ok


async def test_a_parked_copy_names_nobody(log: Any) -> None:
    """A copy of what could not be handled holds what its sender claimed; it is not shown as who did it."""
    await log.hear(log.message(1, stream="PARKED", authid="key:admin"))
    async with log.store.read() as session:
        shown, _, _ = await Repository(session).at(0)
    assert (shown.authid, shown.altered) == (None, ())
