"""Tiles: the tree cut into pieces of 256 hashes, as C2SP tlog-tiles stores and serves them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
HASH_SIZE = 32
MAX_ENTRY = 0xFFFF
_sha256 = hashlib.sha256
_PATH = re.compile(r"(entries|\d{1,2})/((?:x\d{3}/)*\d{3})(?:\.p/(\d{1,3}))?")


class TileId(NamedTuple):
    """Which tile: `level` 0 holds leaf hashes; `number` counts from the left."""

    level: int
    number: int


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962 hash of a log entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: bytes) -> bytes:
    """Root of a complete subtree, given its 2^k hashes at one level, one behind the other."""
    while len(hashes) > HASH_SIZE:
        pairs = range(0, len(hashes), 2 * HASH_SIZE)
        hashes = b"".join([_sha256(b"\x01" + hashes[i : i + 2 * HASH_SIZE]).digest() for i in pairs])
    return hashes


def split_hashes(tile: bytes) -> list[bytes]:
    """The hashes of a stored tile."""
    if len(tile) % HASH_SIZE:
        raise ValueError(f"a tile of {len(tile)} bytes is no whole number of {HASH_SIZE}-byte hashes")
    return [tile[i : i + HASH_SIZE] for i in range(0, len(tile), HASH_SIZE)]


def tile_width(tile: TileId, size: int) -> int:
    """How many hashes `tile` has in a tree of `size` entries: 0 (absent) to 256 (full)."""
    hashes = size >> (TILE_HEIGHT * tile.level)
    return max(0, min(TILE_WIDTH, hashes - tile.number * TILE_WIDTH))


def last_tiles(size: int) -> Iterator[tuple[TileId, int]]:
    """The rightmost, still growing tile of every level of a tree of `size`, with its width (may be 0)."""
    level = 0
    while level == 0 or size >> (TILE_HEIGHT * level):
        hashes = size >> (TILE_HEIGHT * level)
        yield TileId(level, hashes // TILE_WIDTH), hashes % TILE_WIDTH
        level += 1


@dataclass
class Edge:
    """The right edge of a growing tree: one partial tile a level. Memory does not grow with the log."""

    size: int = 0
    rows: list[list[bytes]] = field(default_factory=lambda: [[]])

    def append(self, leaves: Iterable[bytes]) -> dict[TileId, list[bytes]]:
        """Add leaf hashes; answers every tile that changed, with all its hashes so far."""
        changed: dict[TileId, list[bytes]] = {}
        for leaf in leaves:
            self._push(0, leaf, changed)
            self.size += 1
        for tile, width in last_tiles(self.size):
            if width and tile.level < len(self.rows):
                changed[tile] = list(self.rows[tile.level])
        return changed

    def _push(self, level: int, value: bytes, full: dict[TileId, list[bytes]]) -> None:
        if level == len(self.rows):
            self.rows.append([])
        row = self.rows[level]
        row.append(value)
        if len(row) == TILE_WIDTH:
            number = self.size >> (TILE_HEIGHT * (level + 1))
            full[TileId(level, number)] = row
            self.rows[level] = []
            self._push(level + 1, fold(b"".join(row)), full)

    def root(self) -> bytes:
        """Root of the tree as it is now."""
        peaks = [peak for level in range(len(self.rows) - 1, -1, -1) for peak in _peaks(self.rows[level])]
        if not peaks:
            return hashlib.sha256(b"").digest()
        root = peaks.pop()
        while peaks:
            root = node_hash(peaks.pop(), root)
        return root

    @classmethod
    def of(cls, size: int, tiles: dict[TileId, bytes]) -> Edge:
        """The edge of a stored tree of `size`, from its partial tiles (see `last_tiles`)."""
        rows = [split_hashes(tiles[t])[:w] if w else [] for t, w in last_tiles(size)]
        for (tile, width), row in zip(last_tiles(size), rows, strict=True):
            if len(row) != width:
                raise ValueError(f"{tile_path(tile, width)} holds {len(row)} hashes, not {width}")
        return cls(size, rows)


def _peaks(row: Sequence[bytes]) -> Iterator[bytes]:
    """Roots of the complete subtrees in a partial tile, largest first."""
    start = 0
    for power in range(TILE_HEIGHT - 1, -1, -1):
        if len(row) & (1 << power):
            yield fold(b"".join(row[start : start + (1 << power)]))
            start += 1 << power


def number_path(number: int) -> str:
    """A tile's number in groups of three digits: 1234067 is `x001/x234/067`."""
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.append(f"x{number % 1000:03d}")
    return "/".join(reversed(groups))


def tile_path(tile: TileId, width: int = TILE_WIDTH) -> str:
    """Where C2SP tlog-tiles puts a tile of hashes."""
    return f"tile/{tile.level}/{number_path(tile.number)}{_partial(width)}"


def bundle_path(number: int, width: int = TILE_WIDTH) -> str:
    """Where C2SP tlog-tiles puts a bundle of entries."""
    return f"tile/entries/{number_path(number)}{_partial(width)}"


def _partial(width: int) -> str:
    return "" if width == TILE_WIDTH else f".p/{width}"


def parse_tile_path(path: str) -> tuple[int | None, int, int]:
    """Read `<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`: level (None: entries), number, width."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise ValueError(f"{path!r} is no tile path; e.g. 0/x001/234, 1/000.p/17 or entries/000")
    level, groups, text = match.groups()
    number, width = int(groups.replace("x", "").replace("/", "")), int(text or TILE_WIDTH)
    one = bundle_path(number, width) if level == "entries" else tile_path(TileId(int(level), number), width)
    if f"tile/{path}" != one or not 0 < width <= TILE_WIDTH:
        raise ValueError(f"{path!r} is not the one spelling of a tile's path")
    return (None if level == "entries" else int(level)), number, width


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Entries as tlog-tiles bundles them: two bytes of big-endian length, then the entry."""
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise ValueError(f"an entry of {len(entry)} bytes; at most {MAX_ENTRY} fit a bundle")
        parts.append(len(entry).to_bytes(2, "big") + entry)
    return b"".join(parts)


def decode_bundle(bundle: bytes) -> list[bytes]:
    """The entries of a bundle."""
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if at + 2 > len(bundle) or end > len(bundle):
            raise ValueError(f"the bundle ends inside its entry number {len(entries)}")
        entries.append(bundle[at + 2 : end])
        at = end
    return entries
