"""CSV: cut into values by Arrow block by block, and typed column by column.

Every block has passed the grammar before Arrow sees it, and Python's reader, which finds line numbers, reads the same.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from headrace.contracts import ContractError, column_name
from headrace.contracts.cells import MISSING, widened
from headrace.ingest.reading import Wording
from headrace.ingest.sources.batch import Batch, Plan
from headrace.ingest.sources.blocks import Block, Limits, blocks
from headrace.ingest.sources.columns import typed
from headrace.ingest.sources.formats import Format
from headrace.ingest.sources.grammar import extent, first_record
from headrace.ingest.sources.notes import TEXTS, note, note_renamed
from headrace.ingest.sources.sniff import unfit
from headrace.ingest.sources.text import in_utf8
from headrace.ingest.violations import PARSE, Violations, refuse

PLACES = 8  # of a file that inference looks at; a type found too narrow later only costs another pass
SAMPLE = 64 << 10  # bytes at each place
SAMPLE_ROWS = 500
csv.field_size_limit(1 << 30)  # lengths are limited per line and record, in blocks.py


class CsvSource:
    """One CSV file with a header line."""

    def __init__(self, path: Path, limits: Limits, keep: int, wording: Wording) -> None:
        self._path, self._limits, self._keep, self._wording = path, limits, keep, wording
        self.warnings = Violations(keep)
        head = next(blocks(path, limits, wording.delimiter), None)
        blank = _blank_lines(head.data) if head else 0
        if head is None or blank == len(head.data):
            raise refuse(PARSE, "the file is empty; a CSV file begins with a line of column names")
        size = first_record(head.data[blank:], wording.delimiter)
        self._header_end = head.offset + blank + size
        self._header_line = head.line + head.data.count(b"\n", 0, blank)
        names = next(self._reader(head.data[blank : blank + size].decode()))
        limits.check_columns(len(names))
        self._header = self._names(names)
        self._texts: dict[str, dict[str, None]] = {name: {} for name in self._header}

    def _reader(self, text: str) -> Iterator[list[str]]:
        return csv.reader(io.StringIO(text, newline="\n"), delimiter=self._wording.delimiter, strict=True)

    def _names(self, given: Sequence[str]) -> list[str]:
        """The header's names in the form in which names are compared."""
        line = self._header_line
        if other := _other_delimiter(given):
            raise refuse(
                PARSE,
                f"the header has no {self._wording.delimiter!r} but {other!r}; declare it in the contract, "
                f"dialect: {{delimiter: {other!r}}}",
                line=line,
            )
        names = [self._name(position, name) for position, name in enumerate(given, 1)]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            at = ", ".join(str(i) for i, name in enumerate(names, 1) if name == twice[0])
            raise refuse(
                PARSE, f"the header names {twice[0]!r} more than once (columns {at})", line=line, column=twice[0]
            )
        return names

    def _name(self, position: int, given: str) -> str:
        try:
            name = column_name(given)
        except ContractError as error:
            raise refuse(PARSE, f"column {position} of the header: {error}", line=self._header_line) from error
        if not name:
            index = "; pandas writes its row index so: write the file with index=False" if position == 1 else ""
            raise refuse(PARSE, f"column {position} of the header has no name{index}", line=self._header_line)
        if name != given.strip():
            note_renamed(self.warnings, given, name)
        return name

    @property
    def columns(self) -> Sequence[str]:
        """Names in the header, in its order."""
        return self._header

    def texts(self, name: str) -> Sequence[str]:
        """Distinct texts of a column that inference has seen."""
        return [*self._texts.get(name, ())]

    def pieces(self) -> Iterator[Block]:
        """Blocks of records, the header left out."""
        for block in blocks(self._path, self._limits, self._wording.delimiter):
            rest = self._without_header(block) if block.offset < self._header_end else block
            if rest.data.strip(b"\r\n"):
                yield rest

    def _without_header(self, block: Block) -> Block:
        size = self._header_end - block.offset
        lines = block.data.count(b"\n", 0, size)
        return replace(block, data=block.data[size:], line=block.line + lines, offset=block.offset + size)

    def infer(self) -> dict[str, str | None]:
        """The narrowest type that holds every value in samples from start to end of the file."""
        kinds: dict[str, str | None] = dict.fromkeys(self._header)
        for rows in self._samples():
            for name, texts in zip(self._header, zip(*rows, strict=True), strict=False):
                kinds[name] = self._seen(name, kinds[name], dict.fromkeys(texts))
        return kinds

    def _seen(self, name: str, kind: str | None, texts: Iterable[str]) -> str | None:
        missing, seen = {*MISSING, *self._wording.missing_of(name)}, self._texts[name]
        for text in texts:
            if text.strip() in missing:
                continue
            if len(seen) < TEXTS:
                seen[text] = None
            kind = widened(kind, text, self._wording.decimal)
        return kind

    def _samples(self) -> Iterator[list[list[str]]]:
        size = self._path.stat().st_size
        for place in range(PLACES):
            at = self._header_end if place == 0 else size * place // PLACES
            if at >= self._header_end + SAMPLE * place:  # in a small file, the places before cover it
                yield self._sample(at)

    def _sample(self, at: int) -> list[list[str]]:
        """Some whole records; in the midst of a file only where no quote makes it doubtful where one begins."""
        with self._path.open("rb") as file:
            file.seek(at)
            data = file.read(SAMPLE)
            last = not file.read(1)
        if at > self._header_end:
            data = b"" if b'"' in data else data[data.find(b"\n") + 1 :]
        whole = data[: extent(data, self._wording.delimiter, last=last).end].decode("utf-8", "ignore")
        return [row for row in islice(self._reader(whole), SAMPLE_ROWS) if len(row) == len(self._header)]

    def read(self, piece: Block, plan: Plan) -> Batch:
        """The rows of a block, typed."""
        ragged: list[str] = []
        table = self._table(piece, plan, ragged)
        batch = Batch(pa.table({}), self._line_finder(piece), Violations(self._keep), Violations(self._keep))
        if ragged:
            self._name_ragged(piece, batch)
        columns = [typed(_whole(table[name]), reading) for name, reading in plan.items()]
        for name, column in zip(plan, columns, strict=True):
            note(batch, name, str(plan[name].kind), column)
        batch.table = pa.table([column.values for column in columns], names=list(plan))
        return batch

    def _table(self, block: Block, plan: Plan, ragged: list[str]) -> pa.Table:
        """The block's texts; rows with too few or too many are left out, and named in `ragged`."""
        try:
            return self._cut(block, plan, ragged)
        except pa.ArrowInvalid as error:
            if ragged:  # all of them
                return pa.table({name: pa.array([], pa.string()) for name in plan})
            raise refuse(
                PARSE, f"the records from line {block.line} on cannot be read: {error}", line=block.line
            ) from error

    def _cut(self, block: Block, plan: Plan, ragged: list[str]) -> pa.Table:
        def skip(row: pacsv.InvalidRow) -> str:
            ragged.append(row.text)
            return "skip"

        return pacsv.read_csv(
            pa.BufferReader(block.data),
            pacsv.ReadOptions(column_names=self._header, use_threads=False, block_size=len(block.data) + 1),
            pacsv.ParseOptions(delimiter=self._wording.delimiter, newlines_in_values=True, invalid_row_handler=skip),
            pacsv.ConvertOptions(
                column_types=dict.fromkeys(self._header, pa.string()),
                include_columns=list(plan),
                check_utf8=False,  # blocks.py has
            ),
        )

    def _name_ragged(self, block: Block, batch: Batch) -> None:
        wanted = len(self._header)
        for line, row in self._records(block):
            if len(row) != wanted:
                text = self._wording.delimiter.join(row)
                batch.violations.extend(PARSE, f"expected {wanted} values, found {len(row)}", None, 1, [(line, text)])

    def _records(self, block: Block) -> Iterator[tuple[int, list[str]]]:
        """The records of a block with the line that each begins in; empty lines are no records."""
        reader = csv.reader(
            io.StringIO(block.data.decode(), newline="\n"), delimiter=self._wording.delimiter, strict=True
        )
        begin = 0
        for row in reader:
            if row:
                yield block.line + begin, row
            begin = reader.line_num

    def _line_finder(self, block: Block) -> Callable[[int], int]:
        """Row to line; the lines are counted when the first row must be named."""
        found: list[int] = []

        def line(row: int) -> int:
            if not found:
                found.extend(line for line, values in self._records(block) if len(values) == len(self._header))
            return found[row] if row < len(found) else block.line

        return line


def _blank_lines(data: bytes) -> int:
    """Bytes of the empty lines that a file begins with."""
    return len(data) - len(data.lstrip(b"\r\n"))


def _other_delimiter(names: Sequence[str]) -> str | None:
    return next((mark for mark in ";\t|," if len(names) == 1 and mark in names[0]), None)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays([pa.array([], pa.string()), *column.chunks])


def _text(path: Path, start: bytes, wording: Wording) -> Path:
    if why := unfit(start):
        raise refuse(PARSE, why)
    return in_utf8(path, start, wording)


# Spreadsheet programs and browsers give the media type and the name of CSV to all sorts of files: neither states it.
CSV = Format("csv", "CSV", "comma-separated values", CsvSource, prepare=_text)
