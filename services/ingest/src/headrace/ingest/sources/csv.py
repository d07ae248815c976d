"""CSV: parsed by Arrow block by block; by Python, cell by cell, where Arrow finds a fault.

The fast reader only says that something in a block is wrong. The slow one reads that block again and
says what, in which lines: it costs nothing on good files.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from headrace.ingest.sources.batch import Batch, Kinds
from headrace.ingest.sources.blocks import Block, Limits, blocks, record_end
from headrace.ingest.sources.kinds import (
    ARROW,
    EXPECTED,
    FALSE,
    NAIVE,
    NULLS,
    NUMBER,
    STRING,
    TIMESTAMP,
    TRUE,
    narrowest,
    parse,
    widest,
)
from headrace.ingest.violations import PARSE, TYPE, Violations, refuse

PLACES = 8  # of a file that inference looks at; a type found too narrow later only costs another pass
SAMPLE = 64 << 10  # bytes at each place
SAMPLE_ROWS = 500
csv.field_size_limit(1 << 30)  # lengths are limited per line and record, in blocks.py


class CsvSource:
    """One CSV file with a header line, separated by commas."""

    def __init__(self, path: Path, limits: Limits, keep: int) -> None:
        self._path, self._limits, self._keep = path, limits, keep
        head = next(blocks(path, limits), None)
        if head is None or not head.data.strip():
            raise refuse(PARSE, "the file is empty; a CSV file begins with a line of column names")
        self._header_size = _first_record(head.data)
        limits.check_columns(head.data.count(b",", 0, self._header_size) + 1)
        self._header = _header(head.data[: self._header_size])
        self._body = head.offset + self._header_size
        self._zoned = self._find_zoned()

    @property
    def columns(self) -> Sequence[str]:
        """Names in the header, in its order."""
        return self._header

    def pieces(self) -> Iterator[Block]:
        """Blocks of records, the header left out."""
        for block in blocks(self._path, self._limits):
            yield block if block.line > 1 else self._without_header(block)

    def _without_header(self, block: Block) -> Block:
        size = self._header_size
        lines = block.data.count(b"\n", 0, size)
        return replace(block, data=block.data[size:], line=block.line + lines, offset=block.offset + size)

    def infer(self) -> dict[str, str | None]:
        """The narrowest type that holds every value in samples from start to end of the file."""
        kinds: dict[str, str | None] = dict.fromkeys(self._header)
        for row in self._samples():
            for name, text in zip(self._header, row, strict=False):
                kinds[name] = widest(kinds[name], narrowest(text)) if kinds[name] != STRING else STRING
        return kinds

    def _samples(self) -> Iterator[list[str]]:
        size = self._path.stat().st_size
        for place in range(PLACES):
            at = self._body if place == 0 else size * place // PLACES
            if at >= self._body + SAMPLE * place:  # in a small file, the places before cover it
                yield from self._sample(at)

    def _sample(self, at: int) -> Iterator[list[str]]:
        with self._path.open("rb") as file:
            file.seek(at)
            return _records_within(file.read(SAMPLE), whole=at == self._body)

    def _find_zoned(self) -> frozenset[str]:
        """Columns whose first timestamps carry an offset; Arrow must be told beforehand."""
        found: set[str] = set()
        for row in self._sample(self._body):
            found.update(name for name, text in zip(self._header, row, strict=False) if _has_offset(text))
        return frozenset(found)

    def read(self, piece: Block, kinds: Kinds) -> Batch:
        """The rows of a block, typed; where Arrow balks at any of them, read again with care."""
        try:
            table = self._fast(piece, kinds)
        except pa.ArrowInvalid:
            return self._careful(piece, kinds)
        misfits = {name: kind for name in kinds if kinds[name] is None and (kind := _suggested(table[name]))}
        return Batch(table, _line_finder(piece), Violations(self._keep), misfits=misfits)

    def _fast(self, block: Block, kinds: Kinds) -> pa.Table:
        types = {name: self._read_type(name, kind) for name, kind in kinds.items()}
        table = pacsv.read_csv(
            pa.BufferReader(block.data),
            pacsv.ReadOptions(column_names=self._header, use_threads=False, block_size=len(block.data) + 1),
            pacsv.ParseOptions(newlines_in_values=True),
            pacsv.ConvertOptions(
                column_types=types,
                include_columns=list(kinds),
                null_values=NULLS,
                true_values=TRUE,
                false_values=FALSE,
                check_utf8=False,  # blocks.py has
            ),
        )
        return pa.table([_stored(table[name]) for name in kinds], names=list(kinds))

    def _read_type(self, name: str, kind: str | None) -> pa.DataType:
        return NAIVE if kind == TIMESTAMP and name not in self._zoned else ARROW[kind or STRING]

    def _careful(self, block: Block, kinds: Kinds) -> Batch:
        violations = Violations(self._keep)
        rows, lines = self._records(block, violations)
        batch = Batch(pa.table({}), lines.__getitem__, violations)
        columns = []
        for name, kind in kinds.items():
            at = self._header.index(name)
            columns.append(_typed([row[at] for row in rows], name, kind, batch))
        batch.table = pa.table(columns, names=list(kinds))
        return batch

    def _records(self, block: Block, violations: Violations) -> tuple[list[list[str]], list[int]]:
        rows, lines = [], []
        try:
            for line, row in records(block):
                if len(row) == len(self._header):
                    rows.append(row)
                    lines.append(line)
                else:
                    message = f"expected {len(self._header)} values, found {len(row)}"
                    violations.extend(PARSE, message, None, 1, [(line, ",".join(row))])
        except csv.Error as error:
            violations.add(PARSE, str(error), line=lines[-1] + 1 if lines else block.line)
        return rows, lines


def records(block: Block) -> Iterator[tuple[int, list[str]]]:
    """The records of a block with the line that each begins in; empty lines are no records."""
    reader = csv.reader(io.StringIO(block.data.decode(), newline="\n"))
    begin = 0
    for row in reader:
        if row:
            yield block.line + begin, row
        begin = reader.line_num


def _first_record(data: bytes) -> int:
    """Length of the header, which may span lines inside quotes."""
    at = data.find(b"\n")
    while at >= 0 and data.count(b'"', 0, at) % 2:
        at = data.find(b"\n", at + 1)
    return len(data) if at < 0 else at + 1


def _header(data: bytes) -> list[str]:
    names = [name.strip() for name in next(csv.reader(io.StringIO(data.decode(), newline="\n")), [])]
    for position, name in enumerate(names, 1):
        if not name:
            raise refuse(PARSE, f"column {position} of the header has no name", line=1)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        at = ", ".join(str(i) for i, name in enumerate(names, 1) if name == twice[0])
        raise refuse(PARSE, f"the header names {twice[0]!r} more than once (columns {at})", line=1, column=twice[0])
    other = next((mark for mark in ";\t|" if len(names) == 1 and mark in names[0]), None)
    if other:
        raise refuse(PARSE, f"the header has no comma but {other!r}; values are separated by commas", line=1)
    return names


def _records_within(data: bytes, *, whole: bool) -> Iterator[list[str]]:
    """Some records out of the middle of a file; torn ones at both ends are left out."""
    begin = 0 if whole else data.find(b"\n") + 1
    end = record_end(data) or (len(data) if whole else 0)
    try:
        block = Block(data[begin:end].decode("utf-8", "ignore").encode(), 1, 0)
        for number, (_, row) in enumerate(records(block)):
            if number == SAMPLE_ROWS:
                return
            yield row
    except csv.Error:
        return


def _has_offset(text: str) -> bool:
    if narrowest(text) != TIMESTAMP:
        return False
    tail = text.strip()[10:]
    return tail.endswith(("Z", "z")) or "+" in tail or "-" in tail


def _stored(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as the data set stores it; raises ArrowInvalid for a number that is not finite."""
    if column.type == NAIVE:
        return pc.assume_timezone(column, "UTC")
    if column.type == ARROW[NUMBER] and pc.all(pc.is_finite(column)).as_py() is False:
        raise pa.ArrowInvalid("not finite")
    if column.type == ARROW[STRING]:
        empty = pc.equal(column, "")
        return pc.if_else(empty, pa.scalar(None, pa.string()), column) if pc.any(empty).as_py() else column
    return column


def _suggested(column: pa.ChunkedArray) -> str | None:
    """The type of a column of which no value was known until this block."""
    return _widened(None, (text or "" for text in pc.unique(column).to_pylist()))


def _line_finder(block: Block) -> Callable[[int], int]:
    """Row to line; the lines are counted when the first row must be named."""
    found: list[int] = []

    def line(row: int) -> int:
        if not found:
            found.extend(line for line, _ in records(block))
        return found[row] if row < len(found) else block.line

    return line


def _typed(cells: list[str], name: str, kind: str | None, batch: Batch) -> pa.Array:
    """One column, cell by cell; notes in the batch which cells are none of its type, and which type would hold them."""
    values: list[Any] = []
    wrong: dict[int, str] = {}
    for row, text in enumerate(cells):
        try:
            values.append(parse(kind or STRING, text))
        except ValueError:
            values.append(None)
            wrong[row] = text
    array = pa.array(values, ARROW[kind or STRING])
    wider = _suggested(pa.chunked_array([array])) if kind is None else _widened(kind, wrong.values())
    if wrong and kind is not None:
        first = [(batch.line(row), text) for row, text in wrong.items()]
        batch.violations.extend(TYPE, EXPECTED[kind], name, len(wrong), first[: batch.violations.keep])
        batch.wrong[name] = set(wrong)
    if wider is not None and wider != kind:
        batch.misfits[name] = wider
    return array


def _widened(kind: str | None, cells: Iterable[str]) -> str | None:
    for text in cells:
        kind = widest(kind, narrowest(text))
        if kind == STRING:
            break
    return kind
