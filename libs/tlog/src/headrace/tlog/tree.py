"""RFC 6962 trees over tiles: roots, inclusion and consistency proofs, and their verification."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from headrace.tlog.tiles import HASH_SIZE, TILE_HEIGHT, TILE_WIDTH, TileId, fold, leaf_hash, node_hash

__all__ = [
    "EMPTY_ROOT",
    "Tiles",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "tiles_needed",
    "tree_root",
    "verify_consistency",
    "verify_inclusion",
]

EMPTY_ROOT = hashlib.sha256(b"").digest()
T = TypeVar("T")


class Tiles:
    """Reads nodes of a tree out of tiles already fetched."""

    def __init__(self, tiles: Mapping[TileId, bytes]) -> None:
        self._tiles = tiles

    def node(self, height: int, number: int) -> bytes:
        """Hash of the complete subtree `number` (from the left) over 2^height leaves."""
        level, inside = divmod(height, TILE_HEIGHT)
        tile, offset = divmod(number << inside, TILE_WIDTH)
        return self._fold(TileId(level, tile), offset, 1 << inside)

    def _fold(self, tile: TileId, offset: int, count: int) -> bytes:
        data = self._tiles[tile]
        end = (offset + count) * HASH_SIZE
        if len(data) < end:
            raise ValueError(f"tile {tile.level}/{tile.number} ends before hash {offset + count - 1}")
        return fold(data[offset * HASH_SIZE : end])


class _Noting(Tiles):
    """Notes which tiles a computation asks for, and answers anything."""

    def __init__(self) -> None:
        super().__init__({})
        self.asked: set[TileId] = set()

    def _fold(self, tile: TileId, offset: int, count: int) -> bytes:
        self.asked.add(tile)
        return b""


def tiles_needed(compute: Callable[[Tiles], T]) -> set[TileId]:
    """Which tiles `compute` will read, so that a caller can fetch them all at once beforehand."""
    noting = _Noting()
    compute(noting)
    return noting.asked


def _split(size: int) -> int:
    """Largest power of two below `size` (RFC 6962: k)."""
    return 1 << ((size - 1).bit_length() - 1)


def _subtree(tiles: Tiles, start: int, end: int) -> bytes:
    """Hash of leaves [start, end); `start` is a multiple of the power of two that covers the range."""
    size = end - start
    if size & (size - 1) == 0:
        height = size.bit_length() - 1
        return tiles.node(height, start >> height)
    middle = start + _split(size)
    return node_hash(_subtree(tiles, start, middle), _subtree(tiles, middle, end))


def tree_root(tiles: Tiles, size: int) -> bytes:
    """Root of the tree of the first `size` entries."""
    return _subtree(tiles, 0, size) if size else EMPTY_ROOT


def inclusion_proof(tiles: Tiles, index: int, size: int) -> list[bytes]:
    """The audit path of entry `index` in the tree of `size` entries (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"entry {index} is not among the {size} entries of this tree")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_subtree(tiles, middle, end))
            end = middle
        else:
            path.append(_subtree(tiles, start, middle))
            start = middle
    return path[::-1]


def consistency_proof(tiles: Tiles, old: int, new: int) -> list[bytes]:
    """Proof that the tree of `old` entries is a prefix of that of `new` (RFC 6962, 2.1.2)."""
    if not 0 < old <= new:
        raise ValueError(f"a consistency proof needs 0 < from <= to, not from {old} to {new}")
    path, start, end, whole = [], 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_subtree(tiles, middle, end))
            end = middle
        else:
            path.append(_subtree(tiles, start, middle))
            start, whole = middle, False
    return ([] if whole else [_subtree(tiles, start, end)]) + path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that the entry of hash `leaf` is number `index` under `root` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    number, last, value = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if number & 1 or number == last:
            value = node_hash(step, value)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            value = node_hash(value, step)
        number, last = number >> 1, last >> 1
    return last == 0 and value == root


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the old tree is a prefix of the new one (RFC 9162, 2.1.4.2)."""
    if old == new:
        return not proof and old_root == new_root
    if not 0 < old < new:
        return False
    steps = list(proof) if old & (old - 1) else [old_root, *proof]
    if not steps:
        return False
    return _climb(old - 1, new - 1, steps) == (old_root, new_root)


def _climb(number: int, last: int, steps: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Fold a consistency proof into the two roots that it implies; None where it has the wrong length."""
    while number & 1:
        number, last = number >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return None
        if number & 1 or number == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            new = node_hash(new, step)
        number, last = number >> 1, last >> 1
    return (old, new) if last == 0 else None
