"""Rows of text for a model: each column is read as the signature says, by the rules that ingest reads data with.

Nobody guesses: `01234` in a column of text stays `01234`, and `NA` there is a value, Namibia for instance.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from headrace.contracts.cells import BOOLEAN, INTEGER, NUMBER, STRING, NotOfType, read_cell
from headrace.contracts.generated.models import Tensor

_WHOLE = re.compile(r"([+-]?[0-9]+)\.0+")  # pandas writes 1.0 for an integer where its column misses a value


def kind_of(datatype: str) -> str:
    """`boolean`, `string`, `integer` or `number`: what a datatype of the Open Inference Protocol holds."""
    names = {"BOOL": BOOLEAN, "BYTES": STRING}
    return names.get(datatype) or (INTEGER if "INT" in datatype else NUMBER)


def kinds_of(inputs: Iterable[Tensor]) -> dict[str, str]:
    """The kind of each input of a signature."""
    return {tensor.name: kind_of(tensor.datatype) for tensor in inputs}


def rows_of(lines: Iterable[str], kinds: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Rows of CSV, each as soon as it is read; a column without a kind is text. Raises ValueError with the line.

    The first line names the columns. Blank lines after the last row are no rows.
    """
    return (row for _line, row in numbered_rows_of(lines, kinds))


def numbered_rows_of(lines: Iterable[str], kinds: Mapping[str, str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The same, each with the line that it ends on."""
    reader = csv.reader(lines, strict=True)
    names = _names(reader)
    blank = 0
    for row in _counted(reader):
        if not row:
            blank = blank or reader.line_num
            continue
        if blank or len(row) != len(names):
            at, found = (blank, 0) if blank else (reader.line_num, len(row))
            raise ValueError(f"line {at} has {found} values; a row has {len(names)}: {', '.join(names)}")
        line = reader.line_num
        yield line, {name: _value(kinds, name, text, line) for name, text in zip(names, row, strict=True)}


def columns_of(lines: Iterable[str], kinds: Mapping[str, str]) -> dict[str, list[Any]]:
    """The same, column by column."""
    rows = list(rows_of(lines, kinds))
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _names(reader: Any) -> Sequence[str]:
    names = next(_counted(reader), [])
    if not names:
        raise ValueError("the first line must name the columns, and is empty")
    for at, name in enumerate(names):
        if name in names[:at]:
            raise ValueError(f"column {name!r} is given twice")
    return names


def _counted(reader: Any) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None


def _value(kinds: Mapping[str, str], name: str, text: str, line: int) -> Any:
    kind = kinds.get(name, STRING)
    whole = _WHOLE.fullmatch(text.strip()) if kind == INTEGER else None
    try:
        return read_cell(kind, whole[1] if whole else text)
    except NotOfType as error:
        raise ValueError(f"line {line}, column {name!r}: {text[:40]!r} is {error}") from None
