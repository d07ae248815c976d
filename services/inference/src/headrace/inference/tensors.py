"""Tensors of the Open Inference Protocol V2: from JSON or raw bytes to flat values, and back.

A value that is not what its datatype says is refused with the place and what would be right. Missing values are
JSON null, or NaN in raw bytes; whether a model takes them is the interface's question, not the tensor's.
"""

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headrace.runtimes.datatypes import NUMPY

Values = list[Any] | np.ndarray
"""Flat, row-major."""

MISSING = type(None)
LENGTH = struct.Struct("<I")  # of one element of a BYTES tensor in raw form

DATATYPES = (*NUMPY, "BYTES")
_ALLOWED: Mapping[str, frozenset[type]] = {
    "BOOL": frozenset({bool, MISSING}),
    "BYTES": frozenset({str, MISSING}),
    **{name: frozenset({int, MISSING}) for name in NUMPY if "INT" in name},
    **{name: frozenset({int, float, MISSING}) for name in NUMPY if name.startswith("FP")},
}
_LIMITS: Mapping[str, tuple[float, float]] = {
    **{name: (int(np.iinfo(kind).min), int(np.iinfo(kind).max)) for name, kind in NUMPY.items() if "INT" in name},
    **{name: (float(np.finfo(NUMPY[name]).min), float(np.finfo(NUMPY[name]).max)) for name in ("FP16", "FP32")},
}
_EXPECTED = {"BOOL": "true or false", "BYTES": "strings"}


class BadInput(ValueError):
    """The request cannot be answered as it is; the message names the place and what would be right."""


@dataclass(frozen=True, slots=True)
class Given:
    """One tensor of a request."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Values


def from_json(name: str, datatype: str, shape: Sequence[int], data: Any) -> Given:
    """A tensor whose data, flat or nested, lie in the JSON document."""
    if type(data) is not list:
        raise BadInput(f"input {name!r}: data must be an array, not {kind(data)}")
    values = flat(name, data, shape) if data and type(data[0]) is list else data
    expected = math.prod(shape)
    if len(values) != expected:
        raise BadInput(f"input {name!r}: shape {list(shape)} takes {expected} values, data has {len(values)}")
    if not set(map(type, values)) <= _ALLOWED[datatype]:
        values = _lenient(name, datatype, values)
    if datatype in _LIMITS:
        _check_range(name, datatype, values)
    return Given(name, datatype, tuple(shape), values)


def from_raw(name: str, datatype: str, shape: Sequence[int], raw: memoryview) -> Given:
    """A tensor of the binary extension: little-endian values, or length-prefixed strings."""
    values = _raw_strings(name, raw) if datatype == "BYTES" else _raw_numbers(name, datatype, raw)
    if len(values) != math.prod(shape):
        raise BadInput(
            f"input {name!r}: shape {list(shape)} takes {math.prod(shape)} values of {datatype}, "
            f"its {len(raw)} bytes hold {len(values)}"
        )
    return Given(name, datatype, tuple(shape), values)


def to_raw(datatype: str, values: np.ndarray) -> bytes:
    """An output as the binary extension sends it."""
    if datatype != "BYTES":
        return values.astype(NUMPY[datatype], copy=False).tobytes()
    encoded = [str(value).encode() for value in values.tolist()]
    return b"".join(LENGTH.pack(len(text)) + text for text in encoded)


def flat(name: str, data: list[Any], shape: Sequence[int]) -> list[Any]:
    """Nested arrays as one, checked against the shape level by level."""
    return list(_leaves(name, data, shape, 0))


def kind(value: Any) -> str:
    """What a JSON value is, in the words of JSON."""
    names = {
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return "null" if value is None else names.get(type(value), type(value).__name__)


def shown(value: Any) -> str:
    """A value in a message; the beginning of a long one."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _leaves(name: str, data: list[Any], shape: Sequence[int], level: int) -> Iterable[Any]:
    if level >= len(shape) or len(data) != shape[level]:
        takes = shape[level] if level < len(shape) else "no further nesting"
        raise BadInput(f"input {name!r}: shape {list(shape)} takes {takes} at level {level}, data has {len(data)}")
    if level + 1 == len(shape):
        return data
    return (leaf for part in data for leaf in _leaves(name, _nested(name, part, level), shape, level + 1))


def _nested(name: str, part: Any, level: int) -> list[Any]:
    if type(part) is not list:
        raise BadInput(f"input {name!r}: data is nested unevenly: {kind(part)} at level {level + 1}, expected an array")
    return part


def _lenient(name: str, datatype: str, values: list[Any]) -> list[Any]:
    """Take whole floats as integers and 0/1 as booleans; refuse everything else by its place."""
    for at, value in enumerate(values):
        if type(value) not in _ALLOWED[datatype] and not _tolerable(datatype, value):
            _refuse_beyond(name, datatype, at, value)
            expected = _EXPECTED.get(datatype, "whole numbers" if "INT" in datatype else "numbers")
            raise BadInput(
                f"input {name!r}: element {at} is {kind(value)} ({shown(value)}); {datatype} takes {expected}"
            )
    return values


def _refuse_beyond(name: str, datatype: str, at: int, value: Any) -> None:
    """A whole number beyond 64 bits, which is read as a float, is refused for its size and not for its type."""
    if "INT" in datatype and type(value) is float and value.is_integer():
        low, high = _LIMITS[datatype]
        raise BadInput(f"input {name!r}: element {at} ({value:.0f}) is outside {datatype}, {low} to {high}")


def _tolerable(datatype: str, value: Any) -> bool:
    if datatype == "BOOL":
        return type(value) is int and value in (0, 1)
    # what is written beyond 64 bits is read as the nearest float, which may lie within
    return "INT" in datatype and type(value) is float and value.is_integer() and -(2.0**63) < value < 2.0**64


def _check_range(name: str, datatype: str, values: list[Any]) -> None:
    low, high = _LIMITS[datatype]
    present = [value for value in values if value is not None] if None in values else values
    if not present or (low <= min(present) and max(present) <= high):
        return
    at, value = next((at, v) for at, v in enumerate(values) if v is not None and not low <= v <= high)
    raise BadInput(f"input {name!r}: element {at} ({value}) is outside {datatype}, {low} to {high}")


def _raw_numbers(name: str, datatype: str, raw: memoryview) -> np.ndarray:
    dtype = NUMPY[datatype]
    if len(raw) % dtype.itemsize:
        raise BadInput(f"input {name!r}: {len(raw)} bytes are no whole number of {datatype} values")
    return np.frombuffer(raw, dtype)


def _raw_strings(name: str, raw: memoryview) -> list[str]:
    values: list[str] = []
    at = 0
    while at < len(raw):
        end = at + LENGTH.size + (LENGTH.unpack_from(raw, at)[0] if at + LENGTH.size <= len(raw) else len(raw))
        if end > len(raw):
            raise BadInput(f"input {name!r}: element {len(values)} ends after the {len(raw)} bytes given")
        values.append(_text(name, len(values), raw[at + LENGTH.size : end]))
        at = end
    return values


def _text(name: str, at: int, raw: memoryview) -> str:
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"input {name!r}: element {at} is not UTF-8: {error.reason}") from None
