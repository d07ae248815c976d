"""A declaration guessed from the first rows of a CSV: what each column is, and what is probably predicted."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headrace.client.errors import HeadraceError
from headrace.contracts.cells import STRING, TIMESTAMP, widened
from headrace.contracts.installed import KnownColumn
from headrace.tasks import TASKS

LOOKED_AT = 10_000  # rows: enough to tell a number from a text, and read in a tenth of a second
COUNTED = 100  # different values of a column that are counted
FEW = 12  # values of a text up to which it probably groups rows, as a region or a channel does
DELIMITERS = ",;\t|"


@dataclass
class Column:
    """A column as the first rows show it."""

    name: str
    type: str | None = None
    """None while every cell was missing."""
    values: set[str] = field(default_factory=set)
    filled: int = 0
    repeats: bool = False

    def add(self, text: str) -> None:
        """Take one cell into account."""
        self.type = widened(self.type, text)
        if not text.strip():
            return
        self.filled += 1
        if text in self.values:
            self.repeats = True
        elif len(self.values) <= LOOKED_AT:
            self.values.add(text)

    def known(self, rows: int) -> KnownColumn:
        """The column as tasks judge one."""
        counted = len(self.values) if len(self.values) <= COUNTED else None
        few = sorted(self.values) if counted is not None else ()
        return KnownColumn(self.name, self.type or STRING, True, counted, few, rows)

    @property
    def identifies(self) -> bool:
        """Whether it only names its row: no model can learn from it, and each row has another one."""
        whole = self.type in (STRING, "integer")
        named = self.name.lower() in ("id", "key", "uuid") or self.name.lower().endswith(("_id", "_key", "_uuid"))
        return whole and not self.repeats and self.filled > FEW and (named or self.type == STRING)


@dataclass(frozen=True)
class Guess:
    """What a declaration needs to know of a file."""

    columns: Sequence[Column]
    rows: int
    target: Column
    task: str

    @property
    def time(self) -> str | None:
        """The column that orders the rows."""
        return next((each.name for each in self._others() if each.type == TIMESTAMP), None)

    @property
    def ignore(self) -> list[str]:
        """Columns that name their rows."""
        return [each.name for each in self._others() if each.identifies]

    @property
    def groups(self) -> list[str]:
        """Columns by which rows may be compared."""
        few = (each for each in self._others() if each.type in (STRING, "boolean"))
        return [each.name for each in few if 1 < len(each.values) <= FEW]

    def _others(self) -> Iterator[Column]:
        return (each for each in self.columns if each is not self.target)


def guess(file: Path, target: str | None) -> Guess:
    """Read the first rows of a CSV; the target is the last column where none is named.

    Raises HeadraceError where the file is none, or has no such column.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            columns, rows = _read(lines)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HeadraceError(f"{file} cannot be read as CSV: {error}") from error
    if not rows or len(columns) < 2:
        raise HeadraceError(f"{file}: a head of at least two columns and one row below it are needed")
    chosen = columns[-1] if target is None else next((each for each in columns if each.name == target), None)
    if chosen is None:
        raise HeadraceError(f"{file} has no column {target!r}; it has {', '.join(each.name for each in columns)}")
    if not chosen.values:
        raise HeadraceError(f"{file}: {chosen.name!r} holds no value in its first {rows} rows; name another --target")
    return Guess(columns, rows, chosen, _task_of(chosen, rows))


def _task_of(target: Column, rows: int) -> str:
    known = target.known(rows)
    return next((name for name, task in TASKS.items() if task.takes(known)), next(iter(TASKS)))


def _read(lines: Iterable[str]) -> tuple[list[Column], int]:
    stream = iter(lines)
    head = next(stream, "")
    delimiter = max(DELIMITERS, key=head.count)
    columns = [Column(name.strip()) for name in next(csv.reader([head], delimiter=delimiter), [])]
    rows = 0
    for cells in csv.reader(stream, delimiter=delimiter):
        for column, text in zip(columns, cells, strict=False):
            column.add(text)
        rows += bool(cells)
        if rows >= LOOKED_AT:
            break
    return columns, rows
