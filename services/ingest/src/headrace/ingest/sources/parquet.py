"""Parquet, by batches: its types are checked against the contract's, its values by the rules that hold for CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headrace.contracts import ContractError, column_name
from headrace.ingest.reading import Reading, Wording
from headrace.ingest.sources.batch import Batch, Plan, Typed
from headrace.ingest.sources.blocks import Limits
from headrace.ingest.sources.columns import EXACT, typed, without_numbers
from headrace.ingest.sources.formats import Format
from headrace.ingest.sources.kinds import (
    ARROW,
    FIRST_TIME,
    INTEGER,
    LAST_TIME,
    NUMBER,
    STRING,
    TIMESTAMP,
    kind_of,
)
from headrace.ingest.sources.notes import note, note_renamed
from headrace.ingest.violations import COMPLETENESS, ENCODING, PARSE, TYPE, Violations, refuse

ROWS = 65_536
INFLATION = 100  # times; real columns inflate ten times at most
CUT = "what is finer than microseconds is cut"
ROUNDED = "digits that 64-bit floating point does not hold are rounded"
EMPTY = "an empty text is a missing value"


@dataclass(frozen=True)
class Piece:
    """Some rows, and the number of the first, from 1."""

    rows: pa.RecordBatch
    first: int


class ParquetSource:
    """One Parquet file of flat columns."""

    def __init__(self, path: Path, limits: Limits, keep: int, wording: Wording) -> None:
        self._keep, self._wording = keep, wording
        self.warnings = Violations(keep)
        try:
            self._file = pq.ParquetFile(path, memory_map=True)
        except (pa.ArrowException, OSError) as error:
            raise refuse(PARSE, f"not a readable Parquet file: {error}") from error
        _check_size(self._file.metadata, limits)
        if not self._file.metadata.num_rows:
            raise refuse(COMPLETENESS, "the file has no rows")
        self._schema: pa.Schema = self._file.schema_arrow
        self._given = self._names(self._schema.names)

    def _names(self, given: Sequence[str]) -> dict[str, int]:
        """The columns' names in the form in which names are compared, with their places."""
        names: dict[str, int] = {}
        for place, raw in enumerate(given):
            name = self._name(place + 1, raw)
            if name in names:
                raise refuse(PARSE, f"the file names {name!r} more than once", column=name)
            names[name] = place
        return names

    def _name(self, position: int, raw: str) -> str:
        try:
            name = column_name(raw)
        except ContractError as error:
            raise refuse(PARSE, f"column {position}: {error}") from error
        if not name:
            raise refuse(PARSE, f"column {position} has no name")
        if name != raw.strip():
            note_renamed(self.warnings, raw, name)
        return name

    @property
    def columns(self) -> Sequence[str]:
        """Names in the file's schema."""
        return [*self._given]

    def texts(self, name: str) -> Sequence[str]:
        """Nothing: the file states its types."""
        return []

    def infer(self) -> dict[str, str | None]:
        """The types that the file states."""
        return {name: self._kind(name, self._schema.field(place).type) for name, place in self._given.items()}

    @staticmethod
    def _kind(name: str, arrow: pa.DataType) -> str:
        kind = STRING if pa.types.is_null(arrow) else kind_of(arrow)
        if kind is None:
            raise refuse(TYPE, f"a column of {arrow} cannot be stored", column=name)
        return kind

    def pieces(self) -> Iterator[Piece]:
        """Batches of rows, in order."""
        first = 1
        try:
            for rows in self._file.iter_batches(batch_size=ROWS):
                yield Piece(rows, first)
                first += rows.num_rows
        except (pa.ArrowException, OSError) as error:
            raise refuse(PARSE, f"the file is damaged behind row {first}: {error}", line=first) from error

    def read(self, piece: Piece, plan: Plan) -> Batch:
        """The rows of a piece in the contract's types; a value that would change is a violation or is said."""
        batch = Batch(pa.table({}), piece.first.__add__, Violations(self._keep), Violations(self._keep))
        columns = {name: self._column(piece, name, reading, batch) for name, reading in plan.items()}
        batch.table = pa.table(list(columns.values()), names=list(plan))
        return batch

    def _column(self, piece: Piece, name: str, reading: Reading, batch: Batch) -> pa.Array:
        kind = reading.kind or STRING
        column = _plain(piece.rows.column(self._given[name]))
        if not _fits(column.type, reading):
            batch.violations.extend(TYPE, f"the file has {column.type}, the contract {kind}", name, len(column), [])
            batch.wrong[name] = set(range(len(column)))
            return pa.nulls(len(column), ARROW[kind])
        if kind == STRING and _is_text(column):
            _check_text(column, name, piece.first)
        read = _CASTS[kind](column, reading)
        note(batch, name, kind, read)
        return read.values


def _check_size(metadata: pq.FileMetaData, limits: Limits) -> None:
    """What the file says of itself, before anything of it is inflated."""
    limits.check_columns(metadata.num_columns)
    if metadata.num_rows > limits.rows:
        raise refuse(PARSE, f"the file has {metadata.num_rows:,} rows; at most {limits.rows:,} are taken")
    for group in range(metadata.num_row_groups):
        for at in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(at)
            size = chunk.total_uncompressed_size
            if size > limits.inflated and size > INFLATION * chunk.total_compressed_size:
                raise refuse(PARSE, f"a part of it inflates to {size:,} bytes", column=chunk.path_in_schema)


def _is_text(column: pa.Array) -> bool:
    return kind_of(column.type) == STRING


def _plain(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.string()) if _is_text(column) and column.type != pa.string() else column


def _fits(arrow: pa.DataType, reading: Reading) -> bool:
    given, kind = kind_of(arrow), reading.kind or STRING
    if pa.types.is_null(arrow) or given == kind or (given == INTEGER and kind == NUMBER):
        return True
    if reading.guessed:  # widened, as integers beyond 64 bits are
        return kind == STRING
    return kind == TIMESTAMP and given == STRING and reading.time_format is not None


def _check_text(column: pa.Array, name: str, first: int) -> None:
    """Text is UTF-8 without NUL bytes, as in CSV."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise refuse(ENCODING, f"a text from row {first} on is not UTF-8", line=first, column=name) from error
    nul = pc.match_substring(column, "\0")
    if pc.any(nul).as_py():
        row = first + int(pc.index(nul, True).as_py())
        raise refuse(ENCODING, f"the text of row {row} holds a NUL byte", line=row, column=name)


def _texts(column: pa.Array, reading: Reading) -> Typed:
    if not _is_text(column):
        return Typed(without_numbers(column, reading.missing).cast(ARROW[STRING]))
    read = typed(pc.fill_null(column, ""), Reading(STRING, missing=reading.missing))
    empty = np.flatnonzero(pc.fill_null(pc.equal(column, ""), False).to_numpy(zero_copy_only=False))
    if len(empty):
        read.changed[EMPTY] = [(int(row), "") for row in empty]
    return read


def _integers(column: pa.Array, reading: Reading) -> Typed:
    if not pa.types.is_uint64(column.type):
        return Typed(without_numbers(column.cast(ARROW[INTEGER]), reading.missing))
    wrong = _rows(pc.greater(column, pa.scalar(2**63 - 1, pa.uint64())))
    kept = _without_rows(column, wrong).cast(ARROW[INTEGER])
    out = _wrong(Typed(without_numbers(kept, reading.missing)), column, wrong)
    out.wider = STRING if reading.guessed and wrong else None
    return out


def _numbers(column: pa.Array, reading: Reading) -> Typed:
    values = column.cast(ARROW[NUMBER], safe=False)
    known = pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
    known = without_numbers(known, reading.missing)
    if pa.types.is_integer(column.type):
        wrong = [
            row
            for row in _rows(pc.greater_equal(pc.abs(known), EXACT))
            if column[row].as_py() != int(known[row].as_py())
        ]
    else:
        wrong = _rows(pc.invert(pc.is_finite(known)))
    out = _wrong(Typed(_without_rows(known, wrong)), column, wrong)
    if pa.types.is_decimal(column.type):
        out.changed = _inexact(column, known)
    return out


def _inexact(column: pa.Array, values: pa.Array) -> dict[str, list[tuple[int, str]]]:
    """Decimals of more digits than 64-bit floating point holds."""
    if column.type.precision <= 15:
        return {}
    texts = column.cast(pa.string())
    rows = [row for row in _rows(pc.greater(pc.utf8_length(texts), 15)) if len(_digits(texts[row].as_py())) > 17]
    return {ROUNDED: [(row, texts[row].as_py()) for row in rows if values[row].as_py() is not None]} if rows else {}


def _digits(text: str) -> str:
    return text.lstrip("-0.").replace(".", "").rstrip("0")


def _booleans(column: pa.Array, _reading: Reading) -> Typed:
    return Typed(column.cast(pa.bool_()))


def _times(column: pa.Array, reading: Reading) -> Typed:
    if _is_text(column):
        return typed(pc.fill_null(column, ""), reading)
    if pa.types.is_date(column.type):
        column = column.cast(pa.date32()).cast(pa.timestamp("s"))
    if pa.types.is_null(column.type):
        return Typed(column.cast(ARROW[TIMESTAMP]))
    wrong = _rows(_outside(column))
    kept = _without_rows(column, wrong)
    cut = pc.floor_temporal(kept, unit="microsecond") if kept.type.unit == "ns" else kept
    values = cut.cast(pa.timestamp("us", column.type.tz))
    values = pc.assume_timezone(values, "UTC") if values.type.tz is None else values.cast(ARROW[TIMESTAMP])
    out = _wrong(Typed(values), column, wrong)
    if rows := (_rows(pc.not_equal(cut, kept)) if cut is not kept else []):
        out.changed[CUT] = [(row, str(column[row])) for row in rows]
    return out


def _outside(column: pa.Array) -> pa.Array:
    """Which times lie outside of the years 1 to 9999, that no calendar of ours shows."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[column.type.unit]
    first, last = FIRST_TIME // 10**6 * per_second, (LAST_TIME // 10**6 + 1) * per_second
    ticks = column.cast(pa.int64())
    if per_second == 10**9:  # nanoseconds of 64 bits reach from 1677 to 2262
        return pc.and_(pc.less(ticks, 0), pc.greater(ticks, 0))
    return pc.or_(pc.less(ticks, first), pc.greater_equal(ticks, last))


def _rows(mask: pa.Array) -> list[int]:
    return [int(row) for row in np.flatnonzero(pc.fill_null(mask, False).to_numpy(zero_copy_only=False))]


def _without_rows(column: pa.Array, rows: Sequence[int]) -> pa.Array:
    """The column with some of its values missing."""
    if not rows:
        return column
    mask = np.zeros(len(column), dtype=bool)
    mask[rows] = True
    return pc.if_else(pa.array(mask), pa.scalar(None, column.type), column)


def _wrong(out: Typed, column: pa.Array, rows: Sequence[int]) -> Typed:
    shown = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
    out.wrong = {row: str(shown[row].as_py()) for row in rows}
    return out


_CASTS: Mapping[str, Callable[[pa.Array, Reading], Typed]] = {
    "string": _texts,
    "integer": _integers,
    "number": _numbers,
    "boolean": _booleans,
    "timestamp": _times,
}

PARQUET = Format(
    "parquet", "Parquet", "Apache Parquet", ParquetSource, suffixes=(".parquet",), media=("parquet",), magic=b"PAR1"
)
