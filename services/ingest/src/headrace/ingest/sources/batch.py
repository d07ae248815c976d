"""What a source hands on: typed rows, where each stood in the file, and what could not be typed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from headrace.ingest.reading import Reading
from headrace.ingest.violations import Violations

CHANGED = "value_changed"
RENAMED = "column_renamed"
DROPPED = "column_dropped"


Plan = Mapping[str, Reading]
"""How each column is read, in the contract's order."""


@dataclass
class Typed:
    """A column after reading. `wrong` are the rows whose value is none of the type, with what stood there."""

    values: pa.Array
    wrong: dict[int, str] = field(default_factory=dict)
    wider: str | None = None  # the narrowest type that would hold a guessed column
    changed: dict[str, list[tuple[int, str]]] = field(default_factory=dict)  # what was changed -> row, text


@dataclass
class Batch:
    """Typed rows. `line` tells where a row stands: the line of a CSV, the row of a Parquet file."""

    table: pa.Table
    line: Callable[[int], int]
    violations: Violations
    warnings: Violations
    wrong: dict[str, set[int]] = field(default_factory=dict)  # column -> rows whose value is none of its type
    misfits: dict[str, str] = field(default_factory=dict)  # column -> narrowest type that would hold its values
    odd: dict[str, list[str]] = field(default_factory=dict)  # column -> some of the texts that did not fit

    def lines(self, rows: Iterable[int], column: str) -> list[tuple[int, Any]]:
        """Line and value of some rows of a column."""
        return [(self.line(row), self.table[column][row].as_py()) for row in rows]


class Source(Protocol):
    """A file of rows, read in pieces; `read` may be called from several threads at once."""

    warnings: Violations

    @property
    def columns(self) -> Sequence[str]:
        """Names in the file, in the form in which names are compared."""
        ...

    def infer(self) -> dict[str, str | None]:
        """The type of each column, judged from rows at several places of the file."""
        ...

    def texts(self, name: str) -> Sequence[str]:
        """Some of the texts of a column that inference looked at."""
        ...

    def pieces(self) -> Iterator[Any]:
        """The file in pieces of bounded size, in order."""
        ...

    def read(self, piece: Any, plan: Plan) -> Batch:
        """The rows of a piece, typed."""
        ...
