"""Checking a whole log: each kind of tampering is found, and blamed on the side that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from headrace.tlog import (
    Checkpoint,
    Edge,
    Entry,
    Finding,
    Past,
    SigningKey,
    TileId,
    Verdict,
    check_log,
    encode_bundle,
    leaf_hash,
)
from headrace.tlog.check import LATE

KEY = SigningKey("log", b"k" * 32)


@dataclass
class MemoryLog:
    """A log in memory: what any server of tiles holds."""

    entries_: list[bytes] = field(default_factory=list)
    tiles: dict[TileId, bytes] = field(default_factory=dict)
    note: str = ""

    async def checkpoint(self) -> str:
        """The newest signed checkpoint."""
        return self.note

    async def tile(self, tile: TileId, width: int) -> bytes:
        """Hashes of one tile."""
        return self.tiles.get(tile, b"")[: width * 32]

    async def entries(self, number: int, width: int) -> bytes:
        """Entries of one bundle."""
        return encode_bundle(self.entries_[number * 256 : number * 256 + width])

    async def check(self, **options: object) -> Verdict:
        """Check the log against its own checkpoint."""
        return await check_log(self, KEY.verifying_key, **options)  # type: ignore[arg-type]


def entry(seq: int, stream: str = "EVENTS", received: str = "2026-01-01T00:00:00Z") -> Entry:
    """The entry of one message."""
    return Entry(
        stream, seq, "headrace.a.b.c", f"e{seq}", "headrace.a.b.v1", "headrace/a", received, "0" * 64, "", received
    )


def log_of(entries: Sequence[bytes]) -> MemoryLog:
    """An honest log of these entries."""
    edge = Edge()
    tiles = {t: b"".join(h) for t, h in edge.append(map(leaf_hash, entries)).items()}
    return MemoryLog(list(entries), tiles, Checkpoint("log", len(entries), edge.root()).signed(KEY))


def log(size: int) -> MemoryLog:
    """An honest log of `size` entries."""
    entries = [entry(seq).encode() for seq in range(1, size + 1)]
    return log_of(entries)


def past(size: int, of: int = 0) -> Checkpoint:
    """The checkpoint that an honest log had at `size`."""
    edge = Edge()
    edge.append(leaf_hash(entry) for entry in log(max(of, size)).entries_[:size])
    return Checkpoint("log", size, edge.root())


@pytest.mark.parametrize("size", [0, 1, 256, 257, 1000, 66_000])
async def test_an_honest_log_is_whole(size: int) -> None:
    """Nothing is found, and everything was looked at."""
    verdict = await log(size).check()
    assert verdict.ok
    assert (verdict.size, verdict.entries) == (size, size)
    assert verdict.tiles == len(log(size).tiles)


@pytest.mark.parametrize("index", [0, 255, 256, 700, 999])
async def test_a_changed_entry_is_named(index: int) -> None:
    """One byte of one entry: the entry is blamed, not its tile, for the tiles lead to the signed root."""
    tampered = log(1000)
    tampered.entries_[index] += b" "

    verdict = await tampered.check()

    assert verdict.first is not None
    assert verdict.first.what == "entry"
    assert verdict.first.where.startswith(f"{index} in tile/entries/")


@pytest.mark.parametrize(("tile", "at"), [(TileId(0, 1), 3), (TileId(0, 3), 200), (TileId(1, 0), 2)])
async def test_a_changed_tile_is_named(tile: TileId, at: int) -> None:
    """The entries lead to the signed root, so it is the tile that is wrong."""
    tampered = log(1000)
    raw = bytearray(tampered.tiles[tile])
    raw[at * 32 + 5] ^= 1
    tampered.tiles[tile] = bytes(raw)

    verdict = await tampered.check()

    assert [f.what for f in verdict.findings] == ["tile"]
    assert verdict.first is not None
    assert verdict.first.where.startswith(f"tile/{tile.level}/00{tile.number}")
    assert verdict.first.where.endswith(f"hash {at}")


async def test_a_missing_tile_is_named() -> None:
    """A tile that is gone or torn is a finding, not a crash."""
    gone, torn = log(1000), log(1000)
    del gone.tiles[TileId(0, 2)]
    torn.tiles[TileId(0, 2)] = b"x" * 33

    assert "tile/0/002 hash 0" in str((await gone.check()).first)
    assert "tile/0/002" in str((await torn.check()).first)


async def test_a_dropped_entry_is_named() -> None:
    """With one entry gone, all behind it have moved: the place is where that begins."""
    tampered = log(1000)
    del tampered.entries_[300]

    verdict = await tampered.check()

    assert verdict.first is not None
    assert (verdict.first.what, verdict.first.where) == ("entry", "300 in tile/entries/001")


async def test_a_dropped_last_entry_is_named() -> None:
    """The newest entry cannot be taken away either."""
    tampered = log(1000)
    del tampered.entries_[-1]

    assert "999 in tile/entries/003.p/232" in str((await tampered.check()).first)


async def test_reordered_entries_are_named() -> None:
    """Order is part of the record."""
    tampered = log(1000)
    tampered.entries_[5], tampered.entries_[6] = tampered.entries_[6], tampered.entries_[5]

    assert str((await tampered.check()).first).startswith("entry 5 in tile/entries/000")


async def test_a_forged_checkpoint_is_refused() -> None:
    """A checkpoint that another key signed is worth nothing."""
    forged = log(10)
    forged.note = Checkpoint("log", 10, b"r" * 32).signed(SigningKey("log", b"f" * 32))

    verdict = await forged.check()

    assert verdict.first is not None
    assert verdict.first.what == "checkpoint"


async def test_a_checkpoint_over_another_tree_is_found() -> None:
    """Rightly signed, but not over these entries: entries and tiles agree, so the checkpoint is named."""
    odd = log(300)
    odd.note = Checkpoint("log", 300, b"r" * 32).signed(KEY)

    verdict = await odd.check()

    assert verdict.first is not None
    assert (verdict.first.what, verdict.first.where) == ("checkpoint", "size 300")


async def test_a_rewritten_history_is_found() -> None:
    """Who holds the key can sign a new history, but not one that fits an older checkpoint."""
    honest = [Past(past(1)), Past(past(255)), Past(past(300))]
    assert (await log(1000).check(history=honest)).checkpoints == 3

    forged = [Checkpoint("log", size, b"r" * 32) for size in (300, 1001)]
    rewritten = [Past(past(1)), Past(forged[0]), Past(forged[1], "EVENTS 7")]
    verdict = await log(1000).check(history=rewritten)

    assert sorted(f.where for f in verdict.findings) == ["checkpoint of size 1001 (EVENTS 7)", "checkpoint of size 300"]


async def test_what_entries_stand_for_is_checked_too() -> None:
    """The caller compares each run of entries with the events it holds."""

    async def compare(start: int, entries: Sequence[bytes]) -> list[Finding]:
        at = [start + i for i, entry in enumerate(entries) if b'"id":"e401"' in entry]
        return [Finding("event", str(index), "one hash", "another") for index in at]

    verdict = await log(1000).check(check_entries=compare)

    assert [(f.what, f.where) for f in verdict.findings] == [("event", "400")]


NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)


async def test_a_log_without_a_message_of_a_stream_is_not_whole() -> None:
    """Completeness is judged by the sequences in the entries alone: each stream from 1 to its highest."""
    kept = [entry(seq).encode() for seq in (1, 2, 5)] + [entry(seq, "REQUESTS").encode() for seq in (3, 4)]

    verdict = await log_of(kept).check(now=NOW)

    assert [(f.what, f.where) for f in verdict.findings] == [("gap", "EVENTS 3..4"), ("gap", "REQUESTS 1..2")]


async def test_a_message_that_is_late_is_none_that_is_missing() -> None:
    """A redelivery under way leaves a hole for a moment: it is counted, and becomes a finding when it stays."""
    young = log_of([entry(1).encode(), entry(3, received=(NOW - timedelta(seconds=5)).isoformat()).encode()])

    verdict = await young.check(now=NOW)
    later = await young.check(now=NOW + LATE)

    assert (verdict.ok, verdict.late) == (True, 1)
    assert [f.where for f in later.findings] == ["EVENTS 2"]


async def test_a_message_that_is_there_twice_is_named() -> None:
    """One message, one entry: a second one tells another story of it."""
    verdict = await log_of([entry(1).encode(), entry(2).encode(), entry(1).encode()]).check(now=NOW)
    assert [(f.what, f.where) for f in verdict.findings] == [("entry", "2, EVENTS 1")]


async def test_an_entry_that_is_none_is_named() -> None:
    """What was put into the tree and is no entry stands for no message."""
    verdict = await log_of([entry(1).encode(), b"nonsense"]).check(now=NOW)
    assert [(f.what, f.where) for f in verdict.findings] == [("entry", "1")]
