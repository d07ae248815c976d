"""Columns of values with PMML's types, and the few steps that every element needs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from headrace.pmml.errors import BadPmml, Unsupported
from headrace.pmml.ops import Ops
from headrace.pmml.xml import Element, decimal

T = TypeVar("T")
TEXT, TRUTH, WHOLE, SINGLE, DOUBLE = "string", "boolean", "integer", "float", "double"
TYPES = (TEXT, TRUTH, WHOLE, SINGLE, DOUBLE)
_TRUTHS: Mapping[str, float] = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
MOST_ENTRIES = 1_000_000  # of one lookup table


@dataclass(frozen=True)
class Column(Generic[T]):
    """One value a row: numbers, truth values, or the numbers of words."""

    data: T
    type: str
    open: bool = False
    """Whether it may hold texts that the document does not name: a graph knows no difference between these."""

    @property
    def is_text(self) -> bool:
        """Whether it holds words."""
        return self.type == TEXT


def type_of(element: Element, attribute: str = "dataType", default: str | None = None) -> str:
    """The type that an element says; raises Unsupported for dates and times."""
    found = element.attributes.get(attribute) or default
    if found is None:
        raise BadPmml(f"{element.tag} has no attribute {attribute}", element.line)
    if found not in TYPES:
        raise Unsupported(f"{element.tag}: {attribute} {found!r} is not supported", element.line)
    return found


def typed(text: str, kind: str, line: int) -> str | float:
    """A literal of a type: text as it is, everything else as a number; raises BadPmml."""
    if kind == TEXT:
        return text
    if kind == TRUTH:
        if text.lower() not in _TRUTHS:
            raise BadPmml(f"{text!r} is neither true nor false", line)
        return _TRUTHS[text.lower()]
    try:
        return float(np.float32(decimal(text))) if kind == SINGLE else decimal(text)
    except ValueError:
        raise BadPmml(f"{text!r} is no number", line) from None


def literal(ops: Ops[T], text: str, kind: str, line: int) -> float:
    """A literal as columns hold it."""
    found = typed(text, kind, line)
    return ops.code(found) if isinstance(found, str) else found


def constant(ops: Ops[T], text: str, kind: str, line: int) -> Column[T]:
    """A literal for every row."""
    return Column(ops.number(literal(ops, text, kind, line)), kind)


def missing(ops: Ops[T]) -> T:
    """The missing value for every row."""
    return ops.number(math.nan)


def pick(ops: Ops[T], table: np.ndarray, places: T) -> T:
    """Entries, or rows, of a table; missing where the place is missing."""
    gap = np.full((1, *table.shape[1:]), math.nan)
    known = ops.known(places)
    return ops.take(np.concatenate([table, gap]), ops.where(known, places, ops.number(float(len(table)))))


def replaced(ops: Ops[T], data: T, value: float) -> T:
    """With a value where it is missing."""
    return ops.where(ops.known(data), data, ops.number(value))


def places(ops: Ops[T], column: Column[T], keys: Sequence[float]) -> T:
    """The place of each value among some keys; the number of keys for any other value, missing ones too."""
    other = float(len(keys))
    if not column.is_text:
        found = ops.number(other)
        for place in reversed(range(len(keys))):
            found = ops.where(ops.same(column.data, ops.number(keys[place])), ops.number(float(place)), found)
        return found
    size = int(max(keys, default=-1)) + 1
    table = np.full(size + 1, other)
    for place in reversed(range(len(keys))):
        table[int(keys[place])] = place
    below = ops.both(ops.less(column.data, ops.number(float(size))), ops.at_most(ops.number(0.0), column.data))
    return ops.take(table, ops.where(below, column.data, ops.number(float(size))))


def among(ops: Ops[T], column: Column[T], keys: Sequence[float]) -> T:
    """Whether values are among some keys; a condition."""
    return ops.less(places(ops, column, keys), ops.number(float(len(keys))))


def equal(ops: Ops[T], one: Column[T], other: Column[T]) -> T:
    """Whether two columns are equal: 1, 0, or missing where one of them is."""
    if one.open and other.open:
        ops.only_arrays("a comparison of two columns of any text")
    return three(ops, ops.same(one.data, other.data), one.data, other.data)


def three(ops: Ops[T], condition: T, *operands: T) -> T:
    """A condition as 1 and 0, missing where an operand is missing."""
    found = ops.flag(condition)
    for each in operands:
        found = ops.where(ops.known(each), found, missing(ops))
    return found


def cast(ops: Ops[T], column: Column[T], kind: str) -> Column[T]:
    """A column as another type."""
    if column.type == kind or ({column.type, kind} <= {WHOLE, DOUBLE, TRUTH} and kind == DOUBLE):
        return Column(column.data, kind, column.open)
    if kind == TEXT:
        reason = f"a {column.type} as text"
        spell = _spell_truth if column.type == TRUTH else spell_number
        return Column(ops.spelled(reason, spell, column.data, texts=[False]), TEXT, open=True)
    if column.is_text:
        return Column(ops.spelled("text as a number", _parsed, column.data, texts=[True]), kind)
    if kind == SINGLE:
        return Column(ops.single(column.data), kind)
    if kind == TRUTH:
        return Column(three(ops, ops.negate(ops.same(column.data, ops.number(0.0))), column.data), kind)
    if kind == WHOLE:
        sign = ops.function("sign", column.data)
        return Column(ops.times(sign, ops.function("floor", ops.function("abs", column.data))), kind)
    return Column(column.data, kind)


def half_up(ops: Ops[T], data: T) -> T:
    """The nearest whole number, halves up: by what is left above it, since adding a half would itself be rounded."""
    whole = ops.function("floor", data)
    down = ops.less(ops.minus(data, whole), ops.number(0.5))
    return ops.where(down, whole, ops.plus(whole, ops.number(1.0)))


def spell_number(value: float) -> str:
    """A number as text: whole ones without a point."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**63 else repr(float(value))


def _spell_truth(value: float) -> str:
    return "true" if value else "false"


def _parsed(text: str) -> float | None:
    try:
        return _TRUTHS[text.lower()] if text.lower() in ("true", "false") else decimal(text)
    except ValueError:
        return None
