"""The five column types: how each is stored, read from text, and inferred."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

BOOLEAN, INTEGER, NUMBER, STRING, TIMESTAMP = "boolean", "integer", "number", "string", "timestamp"

ARROW: Mapping[str, pa.DataType] = {
    BOOLEAN: pa.bool_(),
    INTEGER: pa.int64(),
    NUMBER: pa.float64(),
    STRING: pa.string(),
    TIMESTAMP: pa.timestamp("us", tz="UTC"),
}
NAIVE = pa.timestamp("us")

NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]  # of all types but string: there only ""
TRUE, FALSE = ["true", "True", "TRUE", "1"], ["false", "False", "FALSE", "0"]
EXPECTED = {
    BOOLEAN: "not a boolean (true, false, 1 or 0)",
    INTEGER: "not an integer of 64 bits",
    NUMBER: "not a finite number",
    STRING: "not text",
    TIMESTAMP: "not an ISO 8601 timestamp",
}
_INTEGER = re.compile(r"[+-]?\d+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_boolean(text: str) -> bool:
    """A boolean as people write it."""
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise ValueError(text)


def parse_integer(text: str) -> int:
    """An integer that fits 64 bits; nothing is ever rounded."""
    if not _INTEGER.fullmatch(text) or not -(2**63) <= (value := int(text)) < 2**63:
        raise ValueError(text)
    return value


def parse_number(text: str) -> float:
    """A finite number."""
    value = float(text)
    if "_" in text or not math.isfinite(value):
        raise ValueError(text)
    return value


def parse_timestamp(text: str) -> datetime:
    """An ISO 8601 timestamp or date; without an offset it is UTC."""
    if not _DATE.match(text):
        raise ValueError(text)
    value = datetime.fromisoformat(text)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


PARSERS: Mapping[str, Callable[[str], Any]] = {
    BOOLEAN: parse_boolean,
    INTEGER: parse_integer,
    NUMBER: parse_number,
    STRING: str,
    TIMESTAMP: parse_timestamp,
}


def parse(kind: str, text: str) -> Any:
    """The value of one cell, or None for a missing one; raises ValueError where it is none of its type."""
    if kind == STRING:
        return text or None
    stripped = text.strip()
    return None if stripped in NULLS else PARSERS[kind](stripped)


def kind_of(arrow: pa.DataType) -> str | None:
    """The column type that stores an Arrow type without loss; None where there is none."""
    if pa.types.is_dictionary(arrow):
        return kind_of(arrow.value_type)
    for kind, fits in _FITS.items():
        if fits(arrow):
            return kind
    return None


_FITS: Mapping[str, Callable[[pa.DataType], bool]] = {
    BOOLEAN: pa.types.is_boolean,
    INTEGER: pa.types.is_integer,
    NUMBER: pa.types.is_floating,
    STRING: lambda t: pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t),
    TIMESTAMP: lambda t: pa.types.is_timestamp(t) or pa.types.is_date(t),
}


def widest(one: str | None, other: str | None) -> str | None:
    """The narrowest type that holds both; None is a column without a value so far."""
    if one is None or one == other:
        return other
    if other is None:
        return one
    return NUMBER if {one, other} == {INTEGER, NUMBER} else STRING


def narrowest(text: str) -> str | None:
    """The type that one cell suggests; None for a missing one. Integers beyond 64 bits are identifiers: text."""
    stripped = text.strip()
    if stripped in NULLS:
        return None
    if _INTEGER.fullmatch(stripped):
        return INTEGER if -(2**63) <= int(stripped[:25]) < 2**63 and len(stripped) < 25 else STRING
    if stripped.lower() in ("true", "false"):
        return BOOLEAN
    for kind in (NUMBER, TIMESTAMP):
        try:
            PARSERS[kind](stripped)
        except ValueError:
            continue
        return kind
    return STRING
