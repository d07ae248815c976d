"""The log in its tables: what comes is recorded once, in order, and every tampering is named."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from headrace.audit.handlers import on_messages
from headrace.audit.log import HEAD, RECORD, TILE, Log
from headrace.tlog import (
    Checkpoint,
    Entry,
    SigningKey,
    event_digest,
    inclusion_proof,
    leaf_hash,
    tree_root,
    verify_inclusion,
)

KEY = SigningKey("test-log", b"k" * 32)


async def rows(log: Any, *columns: Any) -> list[Any]:
    """Columns of all records, in order."""
    async with log.store.read() as session:
        return list((await session.execute(select(*columns).order_by(RECORD.c.position))).all())


async def head(log: Any) -> Checkpoint:
    """The newest signed head."""
    async with log.store.read() as session:
        return Checkpoint.open(await Log(session, KEY).checkpoint(), KEY.verifying_key)


async def test_an_empty_log_is_whole(log: Any) -> None:
    """Before the first event there is a checkpoint too."""
    assert (await head(log)).size == 0
    assert (await log.verify()).ok


async def test_messages_become_entries_in_order(log: Any) -> None:
    """Each has its index, its entry and its bytes, and the head is signed in the same transaction."""
    await log.hear(log.message(1), log.message(2, authid="key:anna"))
    await log.hear(log.message(1, stream="REQUESTS", kind="request.training"))

    found = await rows(log, RECORD.c.position, RECORD.c.stream, RECORD.c.seq, RECORD.c.authid)
    assert [tuple(row) for row in found] == [
        (0, "EVENTS", 1, None),
        (1, "EVENTS", 2, "key:anna"),
        (2, "REQUESTS", 1, "nats:outsider"),
    ]
    assert (await head(log)).size == 3
    entries = await rows(log, RECORD.c.entry, RECORD.c.body)
    assert all(Entry.decode(entry).sha256 == event_digest(body) for entry, body in entries)


async def test_what_comes_again_is_recorded_once(log: Any) -> None:
    """A redelivered batch, whole or in part, adds nothing."""
    await log.hear(log.message(1), log.message(2))
    await log.hear(log.message(1), log.message(2))
    await log.hear(log.message(2), log.message(3))

    assert [row.seq for row in await rows(log, RECORD.c.seq)] == [1, 2, 3]
    assert await log.said() == []


async def test_another_message_under_a_recorded_number_is_a_violation(log: Any) -> None:
    """A stream that was rewritten is noticed, and the first record stays."""
    await log.hear(log.message(1))
    await log.hear(log.message(1, authid="key:mallory"))

    (said,) = await log.said()
    assert (said["type"], said["data"]["where"]) == ("headrace.integrity.violated.v1", "EVENTS 1")
    assert len(await rows(log, RECORD.c.position)) == 1


@pytest.mark.parametrize("batch", [1, 7, 256, 300])
async def test_the_tree_does_not_depend_on_batches(log: Any, batch: int) -> None:
    """However the messages came, the same entries make the same root, and everything verifies."""
    await log.hear_many(600, batch)

    leaves = [leaf_hash(row.entry) for row in await rows(log, RECORD.c.entry)]
    checkpoint = await head(log)
    verdict = await log.verify()
    assert (verdict.ok, verdict.entries, checkpoint.size) == (True, 600, 600)
    async with log.store.read() as session:
        for index in (0, 255, 256, 599):
            proof = await Log(session, KEY).prove(lambda t, i=index: inclusion_proof(t, i, 600))
            assert verify_inclusion(leaves[index], index, 600, proof, checkpoint.root)
        assert await Log(session, KEY).prove(lambda t: tree_root(t, 600)) == checkpoint.root


async def test_a_failed_batch_leaves_nothing(log: Any) -> None:
    """A transaction that is rolled back takes entries, tiles and head with it."""
    await log.hear_many(10)

    async def fail(work: Any) -> None:
        await on_messages([log.message(11)], work, key=KEY)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await log.do(fail)

    await log.hear(log.message(11))
    assert (await head(log)).size == 11
    assert (await log.verify()).ok


# Tampering. Each changes the tables behind the service's back, and must be named.


@pytest.fixture
async def full(log: Any) -> Any:
    """A log of 600 entries."""
    await log.hear_many(600)
    assert (await log.verify()).ok
    return log


async def blamed(log: Any) -> tuple[str, str]:
    """Kind and place of the first finding."""
    first = (await log.verify()).first
    assert first is not None
    return first.what, first.where


async def test_a_changed_event_is_named(full: Any) -> None:
    """One byte of a stored payload: its entry holds another digest."""
    (body,) = [row.body for row in await rows(full, RECORD.c.body)][300:301]
    changed = body.replace(b"headrace/test", b"headrace/tesT")
    await full.tamper(update(RECORD).where(RECORD.c.position == 300).values(body=changed))

    what, where = await blamed(full)

    assert what == "event"
    assert where == "300 (headrace.dataset.ingested.v1 EVENTS-301, EVENTS 301), its sha256"


async def test_a_changed_entry_is_named(full: Any) -> None:
    """An entry rewritten to fit a rewritten event does not fit the tree."""
    encoded = (await rows(full, RECORD.c.entry))[300].entry.replace(b"headrace/ingest", b"headrace/ingesT")
    await full.tamper(update(RECORD).where(RECORD.c.position == 300).values(entry=encoded, source="headrace/ingesT"))
    assert await blamed(full) == ("entry", "300 in tile/entries/001")


@pytest.mark.parametrize(("level", "number", "place"), [(0, 1, "tile/0/001 hash 2"), (1, 0, "tile/1/000.p/2 hash 0")])
async def test_a_changed_tile_is_named(full: Any, level: int, number: int, place: str) -> None:
    """The entries still make the signed root, so the tile is wrong."""
    here = (TILE.c.level == level) & (TILE.c.number == number)
    async with full.store.read() as session:
        hashes = bytearray((await session.execute(select(TILE.c.hashes).where(here))).scalar_one())
    hashes[64 if level == 0 else 0] ^= 1
    await full.tamper(update(TILE).where(here).values(hashes=bytes(hashes)))
    assert await blamed(full) == ("tile", place)


async def test_a_changed_checkpoint_is_named(full: Any) -> None:
    """A head that the key did not sign."""
    note = (await head(full)).text().replace("600", "599")
    await full.tamper(update(HEAD).values(note=f"{note}\n— test-log {base64.b64encode(b'x' * 68).decode()}\n"))
    assert (await blamed(full))[0] == "checkpoint"


async def test_a_dropped_entry_is_named(full: Any) -> None:
    """A row that is gone."""
    await full.tamper(delete(RECORD).where(RECORD.c.position == 300))
    verdict = await full.verify()
    assert verdict.first is not None
    assert (verdict.first.what, verdict.first.found) == ("entry", "entry 300 is missing")


async def test_reordered_entries_are_named(full: Any) -> None:
    """Two rows that changed places."""
    for old, new in ((10, -1), (11, 10), (-1, 11)):
        await full.tamper(update(RECORD).where(RECORD.c.position == old).values(position=new))
    assert await blamed(full) == ("entry", "10 in tile/entries/000")


async def test_a_log_cut_off_at_its_end_is_named(full: Any) -> None:
    """The newest entries cannot be dropped either."""
    await full.tamper(delete(RECORD).where(RECORD.c.position >= 590))
    assert await blamed(full) == ("entry", "590 in tile/entries/002.p/88")
