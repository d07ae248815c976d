"""Rows from a file or a stream: CSV, JSON, JSON lines or Parquet, plain or gzip, read by a model's signature.

A cell of text is read by the same rule as ingest reads it (`headrace.contracts.cells`), so `007` in a column of text
stays `007`, and `NA` there is a value. Rows come one after the other: only a JSON list is held in memory as a whole.
"""

import gzip
import io
import json
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, TypeVar

from headrace.client.errors import HeadraceError
from headrace.contracts.cells import BOOLEAN, EXPECTED, INTEGER, STRING, NotOfType, read_cell
from headrace.contracts.rows import numbered_rows_of

T = TypeVar("T")
Buffered: TypeAlias = "io.BufferedReader[Any]"
STDIN = "-"
GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
BATCH = 1_000  # rows of a Parquet file that are held at once
PEEK = 4_096


@dataclass(frozen=True, slots=True)
class Row:
    """One row, typed, and where it stands: `line 17`, or `row 17` where there are no lines."""

    place: str
    values: Mapping[str, Any]


@contextmanager
def opened(source: str) -> Iterator[BinaryIO]:
    """The bytes of a file, or of standard input for `-`; raises HeadraceError naming what cannot be read."""
    if source == STDIN:
        yield sys.stdin.buffer
        return
    try:
        stream = Path(source).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise HeadraceError(f"{source}: {error.strerror}") from error
    with stream:
        yield stream


def read(stream: BinaryIO, kinds: Mapping[str, str], name: str = "rows") -> Iterator[Row]:
    """The rows of a stream; columns that `kinds` does not name are passed on as they are, text as text.

    Raises HeadraceError that names `name`, the line or row, the column and what would be right.
    """
    try:
        yield from _read(_buffered(stream), kinds)
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise HeadraceError(f"{name}: {error}") from error
    except RecursionError as error:
        raise HeadraceError(f"{name}: lists or objects within each other, too deep to be read") from error


def given(rows: Iterable[Mapping[str, Any]], kinds: Mapping[str, str]) -> Iterator[Row]:
    """Rows that are at hand, a mapping each, under the same rules."""
    try:
        yield from _objects(enumerate(rows, 1), "row", kinds)
    except ValueError as error:
        raise HeadraceError(str(error)) from error


def typed(kind: str, value: Any) -> Any:
    """A value that is no text of a CSV file, as its column takes it; raises NotOfType where it is none."""
    value = value.item() if hasattr(value, "item") else value  # numpy's
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, str):
        return read_cell(kind, value)
    if isinstance(value, (date, datetime)) and kind == STRING:
        return value.isoformat()
    if kind == STRING:
        raise NotOfType("a number, and the column is text: write it as text, with its zeros")
    return _number(kind, value)


def in_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items, so many at a time."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _number(kind: str, value: Any) -> Any:
    is_boolean = isinstance(value, bool)
    if kind == BOOLEAN and (is_boolean or value in (0, 1)):
        return bool(value)
    if is_boolean or kind == BOOLEAN or not isinstance(value, (int, float, Decimal)) or not _finite(value):
        raise NotOfType(EXPECTED[kind])
    if kind != INTEGER:
        return value if isinstance(value, int) else float(value)
    if value != int(value) or not -(2**63) <= value < 2**64:
        raise NotOfType(EXPECTED[INTEGER])
    return int(value)


def _finite(value: int | float | Decimal) -> bool:
    """Whether floating point holds it: an integer of JSON may have thousands of digits."""
    try:
        return isfinite(value)
    except OverflowError:
        return False


def _buffered(stream: BinaryIO) -> Buffered:
    buffered: Buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)
    if buffered.peek(2)[:2] == GZIP:
        return io.BufferedReader(gzip.GzipFile(fileobj=buffered))
    return buffered


def _read(stream: Buffered, kinds: Mapping[str, str]) -> Iterator[Row]:
    head = stream.peek(PEEK)[:PEEK]
    if head[:4] == PARQUET:
        return _parquet(stream, kinds)
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    if first == b"[":
        return _objects(enumerate(_listed(text), 1), "row", kinds)
    if first == b"{":
        return _objects(_lines(text), "line", kinds)
    return (Row(f"line {line}", row) for line, row in numbered_rows_of(text, kinds))


def _listed(text: io.TextIOWrapper) -> list[Any]:
    document = json.load(text)
    if not isinstance(document, list):
        raise ValueError("a JSON document of rows is a list of objects")
    return document


def _lines(text: io.TextIOWrapper) -> Iterator[tuple[int, Any]]:
    """JSON lines; an object that does not end on its first line is the only row."""
    at, first = next((number, line) for number, line in enumerate(iter(text.readline, ""), 1) if line.strip())
    try:
        yield at, json.loads(first)
    except ValueError:
        yield at, json.loads(first + text.read())
        return
    for number, line in enumerate(text, at + 1):
        if line.strip():
            yield number, _parsed(number, line)


def _parsed(number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ValueError(f"line {number} is not JSON: {error}") from error


def _objects(rows: Iterable[tuple[int, Any]], called: str, kinds: Mapping[str, str]) -> Iterator[Row]:
    for number, row in rows:
        if not isinstance(row, Mapping):
            raise ValueError(f"{called} {number} is no object with a value for each column, but {str(row)[:40]!r}")
        yield _row(f"{called} {number}", row, kinds)


def _row(place: str, row: Mapping[str, Any], kinds: Mapping[str, str]) -> Row:
    return Row(place, {name: _value(place, name, value, kinds.get(name)) for name, value in row.items()})


def _value(place: str, name: str, value: Any, kind: str | None) -> Any:
    if kind is None:
        return value.isoformat() if isinstance(value, (date, datetime)) else value
    try:
        return typed(kind, value)
    except NotOfType as error:
        raise ValueError(f"{place}, column {name!r}: {str(value)[:40]!r} is {error}") from None


def _parquet(stream: Buffered, kinds: Mapping[str, str]) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _seekable(stream) as whole:
        try:
            number = 0
            for batch in pq.ParquetFile(whole).iter_batches(BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield _row(f"row {number}", row, kinds)
        except pa.ArrowException as error:
            raise ValueError(f"no Parquet that can be read: {error}") from error


@contextmanager
def _seekable(stream: Buffered) -> Iterator[Any]:
    """A Parquet file begins at its end: what comes through a pipe goes to a temporary file first."""
    if stream.seekable() and not isinstance(stream.raw, gzip.GzipFile):
        yield stream
        return
    with tempfile.TemporaryFile() as spooled:
        shutil.copyfileobj(stream, spooled)
        spooled.seek(0)
        yield spooled
