"""Rows known by their content: what a holdout and a comparison go by, whatever file a row came in.

A row's identity is a 64-bit hash of its values in some columns, and of how many equal rows came before it: of three
equal rows one may be held out and two learned from. Values are hashed by their meaning, so that a column of whole
numbers in which a value is missing for the first time, and which is read as floating point then, keeps its identities.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

SHARE = 2.0**64
_HOLDOUT = 0x9E3779B97F4A7C15  # apart from other uses of an identity; SplitMix64's increment
_MISSING = 0xD1B54A32D192ED03  # the hash of a missing word


def contents(rows: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """One hash a row over its values in the columns, whatever their order."""
    total = np.zeros(len(rows), dtype=np.uint64)
    for name in columns:
        salt = pd.util.hash_array(np.array([name], dtype=object))[0]
        total += mixed(_hashed(rows[name]) ^ salt)
    return mixed(total)


def identities(content: np.ndarray) -> np.ndarray:
    """Hashes of content as identities: the n-th of several equal rows is a row of its own."""
    nth = pd.Series(content).groupby(content).cumcount().to_numpy(dtype=np.uint64)
    return mixed(content + mixed(nth))


def shares(identity: np.ndarray) -> np.ndarray:
    """A number from 0 to 1 for every row, evenly spread, and the same whenever the row comes again."""
    return mixed(identity ^ np.uint64(_HOLDOUT)).astype(np.float64) / SHARE


def packed(identity: np.ndarray) -> bytes:
    """A set of identities as an object: sorted, eight bytes each, the least significant first."""
    return np.unique(identity).astype("<u8").tobytes()


def unpacked(data: bytes) -> np.ndarray:
    """A set of identities from its object."""
    return np.frombuffer(data, dtype="<u8").astype(np.uint64)


def mixed(values: np.ndarray) -> np.ndarray:
    """SplitMix64's finalizer (Steele, Lea and Flood 2014): every bit of the result depends on every bit given."""
    bits = values.astype(np.uint64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))


def _hashed(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_datetime64_any_dtype(column):
        return mixed(_instants(column).view(np.uint64))
    if _numeric(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan) + 0.0  # minus zero is zero
        return mixed(np.where(np.isnan(numbers), np.nan, numbers).view(np.uint64))
    codes, words = pd.factorize(column)  # every word is hashed once; the code of what is missing is -1, the last
    hashed = pd.util.hash_array(np.array([f"={word}" for word in words], dtype=object))
    return np.append(hashed, np.uint64(_MISSING))[codes]


def _numeric(column: pd.Series) -> bool:
    """Numbers and truth values, those too that are objects because one is missing."""
    if pd.api.types.is_numeric_dtype(column):
        return True
    known = column.dropna() if column.dtype == object else column.head(0)
    return len(known) > 0 and isinstance(known.iloc[0], bool | int | float)


def _instants(column: pd.Series) -> np.ndarray:
    utc = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
    return np.asarray(utc.astype("datetime64[us]").to_numpy().view(np.int64))
