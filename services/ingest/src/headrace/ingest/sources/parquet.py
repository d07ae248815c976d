"""Parquet: read by batches; its types are checked against the contract's, never guessed from values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headrace.ingest.sources.batch import Batch, Kinds
from headrace.ingest.sources.blocks import Limits
from headrace.ingest.sources.kinds import ARROW, EXPECTED, NUMBER, STRING, kind_of
from headrace.ingest.violations import COMPLETENESS, PARSE, TYPE, Violations, refuse

MAGIC = b"PAR1"
ROWS = 65_536
INFLATION = 100  # times; real columns inflate ten times at most


@dataclass(frozen=True)
class Piece:
    """Some rows, and the number of the first, from 1."""

    rows: pa.RecordBatch
    first: int


class ParquetSource:
    """One Parquet file of flat columns."""

    def __init__(self, path: Path, limits: Limits, keep: int) -> None:
        self._keep = keep
        try:
            self._file = pq.ParquetFile(path, memory_map=True)
        except (pa.ArrowException, OSError) as error:
            raise refuse(PARSE, f"not a readable Parquet file: {error}") from error
        _check_size(self._file.metadata, limits)
        if not self._file.metadata.num_rows:
            raise refuse(COMPLETENESS, "the file has no rows")
        self._schema: pa.Schema = self._file.schema_arrow
        names = self._schema.names
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise refuse(PARSE, f"the file names {twice!r} more than once", column=twice)

    @property
    def columns(self) -> Sequence[str]:
        """Names in the file's schema."""
        return list(self._schema.names)

    def infer(self) -> dict[str, str | None]:
        """The types that the file states."""
        return {field.name: self._kind(field) for field in self._schema}

    @staticmethod
    def _kind(field: pa.Field) -> str:
        kind = STRING if pa.types.is_null(field.type) else kind_of(field.type)
        if kind is None:
            raise refuse(TYPE, f"a column of {field.type} cannot be stored", column=field.name)
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

    def read(self, piece: Piece, kinds: Kinds) -> Batch:
        """The rows of a piece in the contract's types; a value that would change is a violation."""
        batch = Batch(pa.table({}), piece.first.__add__, Violations(self._keep))
        columns = [self._column(piece, name, kind or STRING, batch) for name, kind in kinds.items()]
        batch.table = pa.table(columns, names=list(kinds))
        return batch

    def _column(self, piece: Piece, name: str, kind: str, batch: Batch) -> pa.Array:
        column = piece.rows.column(name)
        if _fits(column.type, kind):
            try:
                return _cast(column, kind)
            except pa.ArrowInvalid as error:
                batch.violations.extend(TYPE, f"{EXPECTED[kind]}: {error}", name, 1, [(piece.first, None)])
        else:
            batch.violations.extend(TYPE, f"the file has {column.type}, the contract {kind}", name, len(column), [])
        batch.wrong[name] = set(range(len(column)))
        return pa.nulls(len(column), ARROW[kind])


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


def _fits(arrow: pa.DataType, kind: str) -> bool:
    given = kind_of(arrow)
    return pa.types.is_null(arrow) or given == kind or (given == "integer" and kind == NUMBER)


def _cast(column: pa.Array, kind: str) -> pa.Array:
    """Exactly the same values in the stored type; raises ArrowInvalid where there is no such value."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    if pa.types.is_timestamp(column.type) and column.type.tz is None:
        column = pc.assume_timezone(column, "UTC")
    typed = column.cast(ARROW[kind])
    return _finite(typed) if kind == NUMBER else typed


def _finite(column: pa.Array) -> pa.Array:
    """NaN is a missing number; an infinity is none at all."""
    known = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
    if pc.all(pc.is_finite(known)).as_py() is False:
        raise pa.ArrowInvalid("infinite")
    return known
