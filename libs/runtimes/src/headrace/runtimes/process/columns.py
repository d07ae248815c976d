"""Columns as a child is given them: by the signature's datatypes, with null for what is missing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headrace.contracts import Tensor
from headrace.runtimes.base import BadValue, Columns
from headrace.runtimes.datatypes import NUMPY

BATCH_ROWS = 1000  # of one request to a child: what is larger is asked in parts, so that each has its own deadline


@dataclass(frozen=True)
class Batch:
    """Rows of one request to a child."""

    rows: int
    columns: Mapping[str, Any]


def batches(inputs: Sequence[Tensor], columns: Columns, *, strict: bool) -> Iterator[Batch]:
    """The rows in parts; raises BadValue where a number is too large and `strict` asks to be told."""
    rows = len(columns[inputs[0].name]) if inputs else 0
    for start in range(0, max(rows, 1), BATCH_ROWS):
        part = slice(start, start + BATCH_ROWS)
        count = min(BATCH_ROWS, rows - start)
        yield Batch(count, {each.name: _encoded(each, columns[each.name][part], start, strict) for each in inputs})


def merged(parts: Sequence[Batch]) -> Batch:
    """Rows of several requests as one."""
    columns = {name: _joined([part.columns[name] for part in parts]) for name in parts[0].columns}
    return Batch(sum(part.rows for part in parts), columns)


def _joined(columns: Sequence[Any]) -> Any:
    if all(isinstance(column, np.ndarray) for column in columns):
        return np.concatenate(columns)
    return [value for column in columns for value in (column.tolist() if isinstance(column, np.ndarray) else column)]


def _encoded(tensor: Tensor, values: Any, start: int, strict: bool) -> Any:
    kind = NUMPY.get(tensor.datatype)
    if len(tensor.shape) > 1:
        return _many(tensor, values, start, strict)
    if kind is None:
        return [None if _missing(value) else str(value) for value in values]
    if kind.kind == "f":
        return _floats(tensor.name, kind, values, start, strict)
    if isinstance(values, np.ndarray) and values.dtype.kind == kind.kind:
        return np.ascontiguousarray(values)
    make = bool if kind.kind == "b" else int
    return [None if _missing(value) else make(value) for value in values]


def _many(tensor: Tensor, values: Any, start: int, strict: bool) -> Any:
    """Values with several elements a row, of which none is missing where they are numbers."""
    kind = NUMPY.get(tensor.datatype)
    if kind is None:
        return np.asarray(values, dtype=object).tolist()
    return _floats(tensor.name, kind, values, start, strict) if kind.kind == "f" else np.ascontiguousarray(values, kind)


def _floats(name: str, kind: np.dtype[Any], values: Any, start: int, strict: bool) -> np.ndarray:
    """JSON has no infinity: without `strict` it goes as the largest number of the datatype."""
    numbers = np.array(values, dtype=np.float64)
    largest = np.finfo(kind).max
    large = np.abs(numbers) > largest
    if large.any():
        row = int(np.nonzero(large)[0][0])
        if strict:
            raise BadValue(name, start + row, values[row])
        numbers = np.clip(numbers, -largest, largest)
    return numbers


def _missing(value: Any) -> bool:
    """None, NaN (the only value unequal to itself), and pandas' NA, which is neither equal nor unequal."""
    if value is None:
        return True
    unequal = value != value
    return bool(unequal) if isinstance(unequal, bool | np.bool_) else True
