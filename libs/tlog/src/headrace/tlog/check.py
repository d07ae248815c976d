"""Check a whole log: entries against tiles, tiles against the root, the root against its signatures.

Everything is computed again from the entries, in memory that does not grow with the log. Where
something does not fit, the verdict names the place and says which side is wrong: the entries, if the
tree that they make has not the signed root, else the tile.

A log is whole where all of this holds: the entries make the signed root; the tiles are theirs; it continues every
checkpoint that was published or remembered elsewhere; no number of a stream is missing or there twice; and every
message behind an entry is the one that was recorded. Service and client judge by this one function.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from headrace.tlog.messages import decoded
from headrace.tlog.notes import Checkpoint, NoteError, VerifyingKey
from headrace.tlog.sequences import Hole, Sequences
from headrace.tlog.tiles import (
    TILE_WIDTH,
    Edge,
    TileId,
    bundle_path,
    decode_bundle,
    leaf_hash,
    split_hashes,
    tile_path,
    tile_width,
)


class LogSource(Protocol):
    """Where a log is read from: the service's tables, its HTTP paths, or files."""

    async def checkpoint(self) -> str:
        """The newest signed checkpoint."""
        ...

    async def tile(self, tile: TileId, width: int) -> bytes:
        """The first `width` hashes of a tile (fewer, or none, where they are missing)."""
        ...

    async def entries(self, number: int, width: int) -> bytes:
        """A bundle of `width` entries (fewer where they are missing)."""
        ...


@dataclass(frozen=True)
class Finding:
    """One thing that does not fit: what kind of thing, where, and both values."""

    what: str  # checkpoint | entry | tile | event | index | history | gap | unchecked | bookkeeping
    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.what} {self.where}: expected {self.expected}, found {self.found}"


@dataclass
class Verdict:
    """What a check of a log found. `ok` only where everything fits."""

    size: int = 0
    root: str = ""
    entries: int = 0
    tiles: int = 0
    checkpoints: int = 0
    late: int = 0  # holes so young that a redelivery may still fill them
    head: str = ""  # the signed note that was checked
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the log is whole and untampered."""
        return not self.findings

    @property
    def first(self) -> Finding | None:
        """The first bad place."""
        return self.findings[0] if self.findings else None


@dataclass(frozen=True)
class Past:
    """A checkpoint that is known from elsewhere, and where from."""

    checkpoint: Checkpoint
    known_from: str = "published"

    @property
    def where(self) -> str:
        """The checkpoint in words."""
        return f"checkpoint of size {self.checkpoint.size}" + (
            "" if self.known_from == "published" else f" ({self.known_from})"
        )


LATE = timedelta(seconds=60)
"""A hole that is younger may be a redelivery under way; twice the time after which the service reports it."""

EntryCheck = Callable[[int, Sequence[bytes]], Awaitable[Sequence[Finding]]]
"""Given the index of the first and a run of entries: what does not fit what they stand for."""


async def check_log(
    source: LogSource,
    key: VerifyingKey,
    *,
    history: Sequence[Past] = (),
    check_entries: EntryCheck | None = None,
    now: datetime | None = None,
) -> Verdict:
    """Check the log that `source` holds against its newest checkpoint, and against `history`.

    `history` holds checkpoints that are known from elsewhere (published as events, copied to a bucket, remembered by
    a client): a log that was cut off or written anew does not continue them. `check_entries` compares runs of entries
    with what they stand for. `now` decides which holes are too young to count; default: this machine's clock.
    """
    verdict = Verdict()
    note = verdict.head = await source.checkpoint()
    try:
        head = Checkpoint.open(note, key)
    except NoteError as error:
        verdict.findings.append(Finding("checkpoint", "newest", "a valid signed checkpoint", str(error)))
        return verdict
    verdict.size, verdict.root = head.size, head.root.hex()
    past = sorted(history, key=lambda each: each.checkpoint.size)
    return await _Check(source, head, past, check_entries, verdict, now or datetime.now(UTC)).run()


class _Check:
    def __init__(
        self,
        source: LogSource,
        head: Checkpoint,
        history: Sequence[Past],
        check_entries: EntryCheck | None,
        verdict: Verdict,
        now: datetime,
    ) -> None:
        self.source, self.head, self.verdict, self.now = source, head, verdict, now
        self.check_entries = check_entries
        self.history = [each for each in history if each.checkpoint.size <= head.size]
        self.sequences = Sequences()
        self.edge = Edge()
        self.tiles: list[Finding] = []
        self.entries: list[Finding] = []
        self.outside = [
            Finding("history", each.where, f"{each.checkpoint.size} entries or more", f"{head.size} entries")
            for each in history
            if each.checkpoint.size > head.size
        ]

    async def run(self) -> Verdict:
        """Read every bundle, rebuild the tree, then say which side of each difference is wrong."""
        await self._past_checkpoints()
        async for start, entries in self._bundles():
            await self._bundle(start, entries)
        if self.edge.size == self.head.size:
            await self._edge_tiles()
        self._conclude()
        return self.verdict

    async def _bundles(self) -> AsyncIterator[tuple[int, list[bytes]]]:
        for start in range(0, self.head.size, TILE_WIDTH):
            width = min(TILE_WIDTH, self.head.size - start)
            path = bundle_path(start // TILE_WIDTH, width)
            try:
                entries = decode_bundle(await self.source.entries(start // TILE_WIDTH, width))
            except ValueError as error:
                self.entries.append(Finding("entry", path, f"{width} entries", str(error)))
                return
            if len(entries) != width:
                where = f"{start + len(entries)} in {path}"
                self.entries.append(Finding("entry", where, f"{width} entries", f"{len(entries)} entries"))
                return
            yield start, entries

    async def _bundle(self, start: int, entries: list[bytes]) -> None:
        leaves = [leaf_hash(entry) for entry in entries]
        await self._level0(start, leaves)
        if self.check_entries is not None:
            self.outside.extend(await self.check_entries(start, entries))
        self._count(start, entries)
        self.verdict.entries += len(entries)
        await self._grow(leaves)

    def _count(self, start: int, entries: list[bytes]) -> None:
        """Note which message each entry stands for; none may be there twice."""
        for index, entry in enumerate(decoded(entries), start):
            if entry is None:
                self.outside.append(Finding("entry", str(index), "an entry", "what is none"))
            elif not self.sequences.add(entry.stream, entry.seq, entry.received):
                where = f"{index}, {entry.stream} {entry.seq}"
                self.outside.append(Finding("entry", where, "one entry a message", "a second one"))

    async def _level0(self, start: int, leaves: list[bytes]) -> None:
        tile = TileId(0, start // TILE_WIDTH)
        difference = await self._compare(tile, leaves)
        if difference is not None:
            at, stored = difference
            self.entries.append(
                Finding("entry", f"{start + at} in {bundle_path(tile.number, len(leaves))}", stored, leaves[at].hex())
            )

    async def _grow(self, leaves: list[bytes]) -> None:
        """Append, stopping at each size that an older checkpoint vouches for."""
        while leaves:
            stop = self.history[0].checkpoint.size - self.edge.size if self.history else len(leaves)
            now, leaves = leaves[:stop], leaves[stop:]
            for tile, hashes in self.edge.append(now).items():
                if tile.level and len(hashes) == TILE_WIDTH:
                    await self._compare(tile, hashes)
            await self._past_checkpoints()

    async def _past_checkpoints(self) -> None:
        while self.history and self.history[0].checkpoint.size <= self.edge.size:
            past = self.history.pop(0)
            self.verdict.checkpoints += 1
            if self.edge.root() != past.checkpoint.root:
                found = self.edge.root().hex()
                self.outside.append(Finding("history", past.where, past.checkpoint.root.hex(), found))

    def _holes(self) -> list[Finding]:
        """What is missing of the streams; what may still come is only counted."""
        old = [hole for hole in self.sequences.holes() if self.now - _moment(hole) >= LATE]
        self.verdict.late = sum(1 for _ in self.sequences.holes()) - len(old)
        return [
            Finding("gap", hole.where, f"{hole.last - hole.first + 1} messages", "nothing is recorded") for hole in old
        ]

    async def _edge_tiles(self) -> None:
        for level, row in enumerate(self.edge.rows[1:], start=1):
            number = (self.head.size >> (8 * level)) // TILE_WIDTH
            if row:
                await self._compare(TileId(level, number), row)

    async def _compare(self, tile: TileId, hashes: list[bytes]) -> tuple[int, str] | None:
        """Compare a stored tile with its recomputed hashes; answers the first position that differs."""
        width = tile_width(tile, self.head.size)
        path = tile_path(tile, width)
        self.verdict.tiles += 1
        try:
            stored = split_hashes(await self.source.tile(tile, width))[: len(hashes)]
        except ValueError as error:
            self.tiles.append(Finding("tile", path, f"{width} hashes", str(error)))
            return None
        if stored == hashes:
            return None
        at = next((i for i, (a, b) in enumerate(zip(stored, hashes, strict=False)) if a != b), len(stored))
        found = stored[at].hex() if at < len(stored) else "nothing"
        self.tiles.append(Finding("tile", f"{path} hash {at}", hashes[at].hex(), found))
        return (at, found) if at < len(stored) else None

    def _conclude(self) -> None:
        """Entries that make the signed root are right, and a tile that differs from them is wrong."""
        whole = self.edge.size == self.head.size
        if whole and self.edge.root() == self.head.root:
            findings = self.tiles
        elif self.entries:
            findings = self.entries
        else:
            where = f"size {self.head.size}"
            findings = [Finding("checkpoint", where, self.edge.root().hex(), self.head.root.hex()), *self.tiles]
        self.verdict.findings = [*findings, *self.outside, *(self._holes() if whole else [])]


def _moment(hole: Hole) -> datetime:
    """When the message after a hole came; long ago where the entry does not say it."""
    try:
        return datetime.fromisoformat(hole.noticed).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)
