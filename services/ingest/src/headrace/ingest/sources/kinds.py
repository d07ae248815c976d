"""The five column types as Arrow stores them; what text they are read from is in headrace.contracts.cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

from headrace.contracts.cells import BOOLEAN, EXPECTED, INTEGER, NUMBER, STRING, TIMESTAMP

__all__ = ["ARROW", "BOOLEAN", "EXPECTED", "INTEGER", "NAIVE", "NUMBER", "STRING", "TIMESTAMP", "kind_of"]

ARROW: Mapping[str, pa.DataType] = {
    BOOLEAN: pa.bool_(),
    INTEGER: pa.int64(),
    NUMBER: pa.float64(),
    STRING: pa.string(),
    TIMESTAMP: pa.timestamp("us", tz="UTC"),
}
NAIVE = pa.timestamp("us")
FIRST_TIME, LAST_TIME = -62_135_596_800_000_000, 253_402_300_799_999_999  # years 1 to 9999, as microseconds


def kind_of(arrow: pa.DataType) -> str | None:
    """The column type that stores an Arrow type; None where there is none."""
    if pa.types.is_dictionary(arrow):
        return kind_of(arrow.value_type)
    for kind, fits in _FITS.items():
        if fits(arrow):
            return kind
    return None


_FITS: Mapping[str, Callable[[pa.DataType], bool]] = {
    BOOLEAN: pa.types.is_boolean,
    INTEGER: pa.types.is_integer,
    NUMBER: lambda t: pa.types.is_floating(t) or pa.types.is_decimal(t),
    STRING: lambda t: pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t),
    TIMESTAMP: lambda t: pa.types.is_timestamp(t) or pa.types.is_date(t),
}
