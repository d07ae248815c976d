"""A column of text to typed values: whole columns at once by Arrow, and by the one rule of cells where that doubts.

Arrow's reading is faster and knows more spellings than the rule (0x10, tRue, inf). So whatever it reads is looked at
for what the rule would read differently; where there is any doubt, each distinct text is read by the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.contracts.cells import (
    FALSE,
    MISSING,
    TRUE,
    NotOfType,
    change_of,
    holds,
    missing_numbers,
    read_cell,
    widened,
)
from headrace.ingest.reading import Reading
from headrace.ingest.sources.batch import Typed
from headrace.ingest.sources.kinds import (
    ARROW,
    BOOLEAN,
    FIRST_TIME,
    INTEGER,
    LAST_TIME,
    NAIVE,
    NUMBER,
    STRING,
    TIMESTAMP,
)

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Ints = np.ndarray[Any, np.dtype[np.int32]]
LONG = 18  # characters; a number with a decimal point and no more of them has at most 17 significant digits
DIGITS = r"[1-9](\.?[0-9]){17}"
EXACT = 2.0**53  # integers up to here are themselves in 64-bit floating point
ZERO, NINE, MINUS, PLUS = 48, 57, 45, 43
SAID = 200  # rounded numbers of one block that are counted; the warning is the same for more


class _Doubt(Exception):
    """Arrow may have read something that the rule reads differently."""


def typed(cells: pa.Array, reading: Reading) -> Typed:
    """The values of a column of text, as `reading` says."""
    if reading.kind in (None, STRING):
        return _texts(cells, reading)
    try:
        return _fast(cells, reading)
    except (pa.ArrowInvalid, _Doubt):
        return _careful(cells, reading)


def _texts(cells: pa.Array, reading: Reading) -> Typed:
    values = _without(cells, ["", *reading.missing])
    if reading.kind is None:
        return Typed(values, wider=_wider(reading, pc.unique(values.drop_null()).to_pylist()))
    return Typed(values)


def _without(cells: pa.Array, tokens: Sequence[str]) -> pa.Array:
    """The cells, those that hold one of the tokens as missing."""
    longest = max(len(token.encode()) for token in tokens)
    if not len(cells) or _lengths(cells).min() > longest:
        return cells
    found = pc.is_in(cells, value_set=pa.array(tokens, pa.string()))
    return pc.if_else(found, pa.scalar(None, pa.string()), cells) if pc.any(found).as_py() else cells


def _fast(cells: pa.Array, reading: Reading) -> Typed:
    heads = _heads(cells)
    if reading.missing or heads.has_words():
        cells = _without(cells, [*MISSING, *reading.missing])
    values, changed = _FAST[str(reading.kind)](cells, heads, reading)
    return Typed(without_numbers(values, reading.missing), changed=changed)


def without_numbers(values: pa.Array, missing: Iterable[str]) -> pa.Array:
    """The values, declared numbers that mean missing taken out, however they were written."""
    numbers = missing_numbers([*missing])
    if not numbers or not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        return values
    known = [*numbers] if pa.types.is_floating(values.type) else _within(numbers, values.type)
    found = pc.is_in(values, value_set=pa.array(known, values.type))
    return pc.if_else(found, pa.scalar(None, values.type), values)


def _within(numbers: Iterable[float], integers: pa.DataType) -> list[int]:
    """The numbers that a type of integers holds."""
    limits = np.iinfo(integers.to_pandas_dtype())
    return [int(each) for each in numbers if limits.min <= each <= limits.max and each == int(each)]


@dataclass(frozen=True)
class _Heads:
    """How each cell begins, and its length in bytes, gathered from the column's buffer."""

    text: Bytes
    at: Ints
    length: Ints
    first: Bytes

    def has_words(self) -> bool:
        """Whether any cell is empty or begins with something that no number or time begins with."""
        return bool((self.first > NINE).any() or (self.length == 0).any())

    def has_minus_zeros(self) -> bool:
        """Whether any number is a zero with a minus sign, or one with zeros behind the sign."""
        return bool(((self.first == MINUS) & (self._byte(1) == ZERO)).any())

    def padded(self) -> bool:
        """Whether any number has zeros in front (0x10 among them) or a plus sign."""
        if (self.first == PLUS).any():
            return True
        sign = self.first == MINUS
        zero = self._byte(sign) == ZERO
        return bool((zero & _WORD[self._byte(sign + np.uint8(1))] & (self.length > 1 + sign)).any())

    def _byte(self, place: Any) -> Bytes:
        """The byte of each cell at a place; of shorter cells, that of another."""
        found: Bytes = self.text.take(self.at + place, mode="clip")
        return found


_WORD = np.array([byte >= ZERO and byte not in b"eE" for byte in range(256)])  # digits, letters but for exponents


def _heads(cells: pa.Array) -> _Heads:
    text = np.frombuffer(cells.buffers()[2] or b"", np.uint8)
    text = text if len(text) else np.zeros(1, np.uint8)
    at = _offsets(cells)
    return _Heads(text, at[:-1], np.diff(at), text.take(at[:-1], mode="clip"))


def _offsets(cells: pa.Array) -> Ints:
    return np.frombuffer(cells.buffers()[1], np.int32)[cells.offset : cells.offset + len(cells) + 1]


def _lengths(cells: pa.Array) -> Ints:
    """The bytes of each cell."""
    lengths: Ints = np.diff(_offsets(cells))
    return lengths


Changed = dict[str, list[tuple[int, str]]]
_Fast = tuple[pa.Array, Changed]


def _fast_integers(cells: pa.Array, heads: _Heads, _reading: Reading) -> _Fast:
    if heads.padded() or heads.has_minus_zeros():
        raise _Doubt
    return cells.cast(ARROW[INTEGER]), {}


def _fast_numbers(cells: pa.Array, heads: _Heads, reading: Reading) -> _Fast:
    if heads.padded():
        raise _Doubt
    pointed = _pointed(cells, reading.decimal) if reading.decimal != "." else cells
    values = pointed.cast(ARROW[NUMBER])
    if pc.all(pc.is_finite(values)).as_py() is False:
        raise _Doubt
    plain = values.to_numpy(zero_copy_only=False)  # missing ones are NaN, which compares false
    _confirm(cells, (np.abs(plain) >= EXACT) | ((plain == 0) & (heads.length > 1)), reading)
    return values, _rounded(pointed, heads.length > LONG)


def _pointed(cells: pa.Array, decimal: str) -> pa.Array:
    if pc.any(pc.match_substring(cells, ".")).as_py():
        raise _Doubt
    return pc.replace_substring(cells, decimal, ".")


def _confirm(cells: pa.Array, suspects: Mask, reading: Reading) -> None:
    """Large integers and zeros: the rule refuses those that floating point would round."""
    if not suspects.any():
        return
    for text in pc.unique(cells.filter(pa.array(suspects)).drop_null()).to_pylist():
        try:
            _value(text, reading)
        except NotOfType as error:
            raise _Doubt from error


def _rounded(cells: pa.Array, long: Mask) -> Changed:
    """The numbers of more digits than floating point holds."""
    if not long.any():
        return {}
    found: Changed = {}
    many = pc.fill_null(pc.match_substring_regex(cells, DIGITS), False).to_numpy(zero_copy_only=False)
    for row in map(int, np.flatnonzero(long & many)):
        if change := change_of(NUMBER, cells[row].as_py()):
            found.setdefault(change, []).append((row, cells[row].as_py()))
        if sum(map(len, found.values())) >= SAID:
            break
    return found


def _fast_booleans(cells: pa.Array, _heads: _Heads, reading: Reading) -> _Fast:
    words = [*TRUE, *FALSE] if reading.guessed else [*TRUE, "1", *FALSE, "0"]
    at = pc.index_in(cells, value_set=pa.array(words, pa.string()))
    if at.null_count != cells.null_count:
        raise _Doubt
    return pc.less(at, len(words) // 2), {}


def _fast_times(cells: pa.Array, _heads: _Heads, reading: Reading) -> _Fast:
    if reading.time_format is not None:
        raise _Doubt
    known = cells.drop_null()
    zoned = len(known) > 0 and _has_offset(known[0].as_py())
    values = cells.cast(ARROW[TIMESTAMP]) if zoned else pc.assume_timezone(cells.cast(NAIVE), "UTC")
    extremes = pc.min_max(values.cast(pa.int64()))
    low, high = extremes["min"].as_py(), extremes["max"].as_py()
    if low is not None and not FIRST_TIME <= low <= high <= LAST_TIME:
        raise _Doubt
    return values, {}


def _has_offset(text: str) -> bool:
    tail = text[10:]
    return tail.endswith("Z") or "+" in tail or "-" in tail


_FAST = {INTEGER: _fast_integers, NUMBER: _fast_numbers, BOOLEAN: _fast_booleans, TIMESTAMP: _fast_times}


def _careful(cells: pa.Array, reading: Reading) -> Typed:
    """Each distinct text by the rule of cells."""
    coded = cells.dictionary_encode()
    texts: list[str] = coded.dictionary.to_pylist()
    values, wrong, changes = _read_each(texts, reading)
    codes = coded.indices.to_numpy()
    rows = np.flatnonzero(np.isin(codes, [*wrong]))
    out = Typed(pa.array(values, ARROW[str(reading.kind)]).take(coded.indices))
    out.wrong = {int(row): texts[codes[row]] for row in rows}
    out.wider = _wider(reading, [texts[code] for code in wrong]) if reading.guessed and wrong else None
    for row in np.flatnonzero(np.isin(codes, [*changes])) if changes else []:
        out.changed.setdefault(changes[int(codes[row])], []).append((int(row), texts[codes[row]]))
    return out


def _read_each(texts: list[str], reading: Reading) -> tuple[list[Any], set[int], dict[int, str]]:
    values: list[Any] = []
    wrong: set[int] = set()
    changes: dict[int, str] = {}
    for code, text in enumerate(texts):
        try:
            values.append(_value(text, reading))
        except NotOfType:
            values.append(None)
            wrong.add(code)
            continue
        if values[-1] is not None and (change := _change(text, reading)):
            changes[code] = change
    return values, wrong, changes


def _value(text: str, reading: Reading) -> Any:
    kind = str(reading.kind)
    value = read_cell(kind, text, missing=reading.missing, time_format=reading.time_format, decimal=reading.decimal)
    if reading.guessed and value is not None and not holds(kind, text, reading.decimal):
        raise NotOfType(text)
    return value


def _change(text: str, reading: Reading) -> str | None:
    if reading.time_format is not None:
        return None
    return change_of(str(reading.kind), text.replace(reading.decimal, ".") if reading.decimal != "." else text)


def _wider(reading: Reading, texts: Iterable[str]) -> str | None:
    kind = reading.kind
    for text in texts:
        if text.strip() not in reading.missing:
            kind = widened(kind, text, reading.decimal)
    return kind if kind != reading.kind else None
