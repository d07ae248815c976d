"""The unique check for files of any size: 64-bit keys on disk, sorted piece by piece, in 100 MB at most.

Numbers are their own keys. Text is hashed, and two texts with one hash are told apart by a second
look at the file, which only happens when keys repeat.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.ingest.sources.batch import Batch

Keys = np.ndarray[Any, np.dtype[np.int64]]
SORTED_AT_ONCE = 8_000_000  # keys, of 8 bytes
SUSPECTS = 100_000
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: neighbouring keys go to different pieces


def keys(column: pa.ChunkedArray) -> Keys:
    """The values of a column, missing ones left out, as 64-bit numbers."""
    known = column.drop_null()
    if known.type == pa.string():
        return np.fromiter(map(hash, known.to_pylist()), dtype=np.int64, count=len(known))
    if pa.types.is_floating(known.type):
        return np.asarray(known.to_numpy() + 0.0).view(np.int64)  # + 0.0 makes -0.0 and 0.0 one value
    return np.asarray(known.cast(pa.int64()).to_numpy())


class UniqueCheck:
    """Remembers the keys of one column, and tells which of them came more than once."""

    def __init__(self, path: Path, at_once: int = SORTED_AT_ONCE) -> None:
        self._file = path.open("wb+")
        self._at_once = at_once
        self._count = 0

    def add(self, new: Keys) -> None:
        """Remember the keys of one batch."""
        new.tofile(self._file)
        self._count += len(new)

    def repeated(self) -> tuple[int, Keys]:
        """How many keys came again, and (at most 100,000 of) which."""
        again, which = 0, np.empty(0, dtype=np.int64)
        pieces = -(-self._count // self._at_once)
        for piece in range(pieces):
            twice = self._twice(piece, pieces)
            again += len(twice)
            which = np.concatenate([which, np.unique(twice)])[:SUSPECTS]
        self._file.close()
        return again, which

    def _twice(self, piece: int, pieces: int) -> Keys:
        found = np.concatenate(list(self._of_piece(piece, pieces)) or [np.empty(0, dtype=np.int64)])
        found.sort()
        twice: Keys = found[1:][found[1:] == found[:-1]]
        return twice

    def _of_piece(self, piece: int, pieces: int) -> Iterator[Keys]:
        self._file.seek(0)
        while len(some := np.fromfile(self._file, dtype=np.int64, count=1 << 20)):
            if pieces == 1:
                yield some
            else:
                yield some[((some.view(np.uint64) * _SPREAD) >> np.uint64(32)) % np.uint64(pieces) == piece]


def rows_again(batch: Batch, name: str, suspects: Keys, seen: set[Any]) -> list[tuple[int, Any]]:
    """Line and value of the rows whose value, among those with a suspect key, was `seen` in an earlier row."""
    column = batch.table[name]
    present = np.flatnonzero(pc.is_valid(column).to_numpy())
    again = []
    for row in present[np.isin(keys(column), suspects)]:
        value = column[int(row)].as_py()
        if value in seen:
            again.append((batch.line(int(row)), value))
        seen.add(value)
    return again
