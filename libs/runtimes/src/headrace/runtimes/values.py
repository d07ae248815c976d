"""What a graph cannot do with a value, done for it in one place: reading a time, hashing a text, finding its words.

The layout of a graph says which columns need it. Training asks these functions through the same layout, so that a
model meets in service what it has learned from.
"""

import re
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from headrace.contracts.cells import NotOfType, parse_timestamp

MISSING_TIME = int(np.iinfo(np.int64).min)
"""What stands for a missing time; numpy's own NaT is the same number."""
TIME_FORMAT = "date-time"
"""What a signature says of an input of text that takes times."""
MOST_WORDS = 1000  # of one text: more say little, and every row of a matrix of words is as long as the longest

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WORD = re.compile(r"\w\w+")


def text_of(value: Any) -> str:
    """A value as text; a missing one, None or NaN (the only one unequal to itself), is the empty string."""
    return "" if value is None or value != value else str(value)


def texts(values: Any) -> list[str]:
    """Values as text."""
    return [value if type(value) is str else text_of(value) for value in values]


def micros(values: Any) -> np.ndarray:
    """Times as microseconds since 1970 in UTC, int64; ISO 8601 texts, datetimes, numpy's times, and missing ones.

    A text that is no time is missing, too: whoever serves refuses it before.
    """
    array = np.asarray(values) if isinstance(values, np.ndarray) else None
    if array is not None and array.dtype.kind == "M":
        return array.astype("datetime64[us]").astype(np.int64)
    return np.array([_micros(value) for value in values], dtype=np.int64)


def no_time(values: Any) -> int | None:
    """The place of the first text that is no time; None where there is none."""
    found = (at for at, value in enumerate(values) if isinstance(value, str) and value and _parsed(value) is None)
    return next(found, None)


def hashed(values: Any) -> np.ndarray:
    """The CRC-32 of each text in UTF-8, int64; -1 for a missing one."""
    return np.array([zlib.crc32(_bytes(text)) if text else -1 for text in texts(values)], dtype=np.int64)


def words(values: Any) -> np.ndarray:
    """The words of each text in small letters, [rows, most words of one], with empty texts behind the last one.

    A word is two or more letters, digits or underscores of any script.
    """
    found = [_WORD.findall(text.lower())[:MOST_WORDS] for text in texts(values)]
    return padded(found)


def padded(rows: Sequence[Sequence[str]]) -> np.ndarray:
    """Rows of words as one matrix; at least one column wide."""
    width = max(1, *(len(row) for row in rows)) if rows else 1
    matrix = np.full((len(rows), width), "", dtype=object)
    for at, row in enumerate(rows):
        matrix[at, : len(row)] = row
    return matrix


def infinite_as_missing(numbers: np.ndarray) -> np.ndarray:
    """The same array, in which what is infinite is NaN now."""
    numbers[np.isinf(numbers)] = np.nan
    return numbers


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _micros(value: Any) -> int:
    if value is None or value != value:
        return MISSING_TIME
    if isinstance(value, np.datetime64):
        return int(value.astype("datetime64[us]").astype(np.int64))
    moment = _parsed(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        return MISSING_TIME
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def _parsed(text: str) -> datetime | None:
    try:
        return parse_timestamp(text.strip())
    except NotOfType:
        return None
