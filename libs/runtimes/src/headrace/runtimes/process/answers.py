"""What a child gave, held against its signature: names, shapes, datatypes, missing values, labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from headrace.contracts import Tensor
from headrace.runtimes.datatypes import NUMPY
from headrace.runtimes.errors import BadAnswer

Outputs = dict[str, np.ndarray]
"""By name, one entry a row."""
_KINDS = {"b": "true or false", "i": "whole numbers", "u": "whole numbers", "f": "numbers", "O": "strings"}


def checked(outputs: Any, tensors: Sequence[Tensor], rows: int) -> Outputs:
    """The outputs as arrays of the signature's datatypes; raises BadAnswer naming output and row."""
    if not isinstance(outputs, Mapping):
        raise BadAnswer(f"its outputs are {type(outputs).__name__}, not a mapping of names to values")
    wanted = [tensor.name for tensor in tensors]
    if missing := [name for name in wanted if name not in outputs]:
        raise BadAnswer(f"it gives no output {_listed(missing)}; it gives {_listed(list(outputs))}")
    if extra := [name for name in outputs if name not in wanted]:
        raise BadAnswer(f"it gives {_listed(extra)}, which its signature does not name; that has {_listed(wanted)}")
    return {tensor.name: _checked(tensor, outputs[tensor.name], rows) for tensor in tensors}


def part_of(outputs: Outputs, start: int, rows: int) -> Outputs:
    """The answers to some rows of a batch."""
    return {name: values[start : start + rows] for name, values in outputs.items()}


def joined(parts: Sequence[Outputs]) -> Outputs:
    """The answers to the parts of a batch as one."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _checked(tensor: Tensor, values: Any, rows: int) -> np.ndarray:
    array = _array(tensor, values)
    _check_shape(tensor, array, rows)
    if tensor.labels is not None:
        _check_labels(tensor, tensor.labels, array)
    return array


def _array(tensor: Tensor, values: Any) -> np.ndarray:
    kind = NUMPY.get(tensor.datatype, np.dtype(object))
    if not isinstance(values, list):
        raise BadAnswer(f"output {tensor.name!r} is {_shown(values)}, not an array with one entry a row")
    try:
        array = np.array(values, dtype=object if kind.kind == "O" else None)
    except (ValueError, OverflowError) as error:
        raise BadAnswer(f"output {tensor.name!r} is no array: its rows differ in length ({error})") from None
    _check_kind(tensor, kind, array)
    return array if kind.kind == "O" else _converted(tensor, kind, array)


def _check_kind(tensor: Tensor, kind: np.dtype[Any], array: np.ndarray) -> None:
    """Whole numbers may come as floating ones, since some languages have no others; nothing else is converted."""
    types: tuple[type, ...] = {"O": (str,), "b": (bool,)}.get(kind.kind, (int, float))
    if kind.kind == "O" or array.dtype.kind not in ("b" if kind.kind == "b" else "iuf"):
        _refuse_first(tensor, array, lambda value: type(value) not in types, kind)
        if kind.kind != "O" and array.size:
            raise BadAnswer(f"output {tensor.name!r} has a number that is too large for {tensor.datatype}")


def _refuse_first(tensor: Tensor, array: np.ndarray, wrong: Any, kind: np.dtype[Any]) -> None:
    """By the values as they came; an array of mixed ones has made them all alike."""
    for row, value in enumerate(array.ravel().tolist()):
        if wrong(value):
            width = max(1, array[0].size) if array.ndim > 1 else 1
            told = "missing" if value is None else _shown(value)
            raise BadAnswer(
                f"output {tensor.name!r}: row {row // width} is {told}; its signature promises {tensor.datatype}, "
                f"{_KINDS[kind.kind]}"
            )


def _converted(tensor: Tensor, kind: np.dtype[Any], array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "f":
        _check_finite(tensor, array)
    with np.errstate(over="ignore", invalid="ignore"):
        made = array.astype(kind)
    if kind.kind in "iu":
        _check_equal(tensor, array, made)
    if kind.kind == "f":
        _check_finite(tensor, made)
    return made


def _check_equal(tensor: Tensor, array: np.ndarray, made: np.ndarray) -> None:
    wrong = made != array
    if wrong.any():
        row = int(np.nonzero(wrong)[0][0])
        raise BadAnswer(f"output {tensor.name!r}: row {row} is {array[row]}, which is no {tensor.datatype}")


def _check_finite(tensor: Tensor, array: np.ndarray) -> None:
    bad = np.isinf(array) if tensor.nullable else ~np.isfinite(array)
    if bad.any():
        row = int(np.nonzero(bad)[0][0])
        raise BadAnswer(f"output {tensor.name!r}: row {row} is {array[bad][0]}, which is no number")


def _check_shape(tensor: Tensor, array: np.ndarray, rows: int) -> None:
    wanted = [rows, *tensor.shape[1:]]
    fits = array.ndim == len(wanted) and all(
        size in (-1, given) for size, given in zip(wanted, array.shape, strict=True)
    )
    if not fits:
        raise BadAnswer(
            f"output {tensor.name!r} has shape {list(array.shape)}; {rows} {'rows' if rows != 1 else 'row'} of its "
            f"signature are {wanted}"
        )


def _check_labels(tensor: Tensor, labels: Sequence[Any], array: np.ndarray) -> None:
    """A label for each row, or a column for each label."""
    if array.ndim > 1:
        if array.shape[1] != len(labels):
            raise BadAnswer(f"output {tensor.name!r} has {array.shape[1]} columns for its {len(labels)} labels")
        return
    known = set(labels)
    for row, value in enumerate(array.tolist()):
        if value not in known:
            raise BadAnswer(f"output {tensor.name!r}: row {row} is {_shown(value)}, none of {_listed(labels)}")


def _listed(names: Sequence[Any]) -> str:
    return ", ".join(map(repr, names)) or "nothing"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
