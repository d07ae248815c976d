"""What a source hands on: typed rows, where each stood in the file, and what could not be typed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from headrace.ingest.violations import Violations

Kinds = Mapping[str, str | None]
"""Column types in the contract's order; None for a column without a value so far."""


@dataclass
class Batch:
    """Typed rows. `line` tells where a row stands: the line of a CSV, the row of a Parquet file."""

    table: pa.Table
    line: Callable[[int], int]
    violations: Violations
    wrong: dict[str, set[int]] = field(default_factory=dict)  # column -> rows whose value is none of its type
    misfits: dict[str, str] = field(default_factory=dict)  # column -> narrowest type that would hold its values

    def lines(self, rows: Iterable[int], column: str) -> list[tuple[int, Any]]:
        """Line and value of some rows of a column."""
        return [(self.line(row), self.table[column][row].as_py()) for row in rows]


class Source(Protocol):
    """A file of rows, read in pieces; `read` may be called from several threads at once."""

    @property
    def columns(self) -> Sequence[str]:
        """Names as the file has them."""
        ...

    def infer(self) -> dict[str, str | None]:
        """The type of each column, judged from rows at several places of the file."""
        ...

    def pieces(self) -> Iterator[Any]:
        """The file in pieces of bounded size, in order."""
        ...

    def read(self, piece: Any, kinds: Kinds) -> Batch:
        """The rows of a piece, typed."""
        ...
