"""What a column holds, in one pass and flat memory: moments exactly, quantiles from a fixed sample of rows.

Two profiles merge into that of both: parts of a data set are profiled once, when they come.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.ingest.sources.kinds import BOOLEAN, INTEGER, NUMBER, STRING, TIMESTAMP

DISTINCT = 10_000  # values counted a column; a column with more is no category
LONG = 256  # characters; longer values are not counted one by one
TOP = 20
SAMPLE_ROWS = 20_000  # standard error of a quantile's rank: 0.35 %
GRID = [i / 100 for i in range(101)]
SHOWN = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Column:
    """Everything known of one column so far."""

    kind: str
    count: int = 0  # rows, missing values included
    nulls: int = 0
    low: float | int | None = None
    high: float | int | None = None
    mean: float = 0.0
    m2: float = 0.0  # sum of squared differences from the mean
    values: Counter[str] | None = field(default_factory=Counter)  # None: too many to count
    grid: list[float] = field(default_factory=list)  # percentiles 0 to 100

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.count - self.nulls

    def merge(self, other: Column) -> Column:
        """The column of both (Chan et al. 1979 for mean and variance)."""
        n = self.present + other.present
        delta = other.mean - self.mean
        share = other.present / n if n else 0.0
        return Column(
            kind=self.kind,
            count=self.count + other.count,
            nulls=self.nulls + other.nulls,
            low=_either(min, self.low, other.low),
            high=_either(max, self.high, other.high),
            mean=self.mean + delta * share,
            m2=self.m2 + other.m2 + delta * delta * self.present * share,
            values=_together(self.values, other.values),
            grid=_merged_grid([(self.grid, self.present), (other.grid, other.present)]),
        )

    def as_dict(self) -> dict[str, Any]:
        """The column as the profile's JSON has it; times in ISO 8601."""
        out: dict[str, Any] = {"type": self.kind, "count": self.count, "nulls": self.nulls}
        if self.kind in (INTEGER, NUMBER, TIMESTAMP) and self.low is not None:
            out |= {"min": self._show(self.low), "max": self._show(self.high)}
        if self.kind in (INTEGER, NUMBER, BOOLEAN) and self.present:
            out |= {"mean": self.mean, "std": math.sqrt(self.m2 / max(1, self.present - 1))}
        if self.grid:
            out["quantiles"] = {str(q): self._show(self.grid[round(q * 100)]) for q in SHOWN}
            out["grid"] = self.grid
        if self.values:
            out["distinct"] = len(self.values)
            out["top"] = [{"value": value, "count": count} for value, count in self.values.most_common(TOP)]
        if self.values is not None:
            out["counts"] = dict(self.values)
        return out

    def _show(self, value: float | int | None) -> Any:
        if self.kind == TIMESTAMP and value is not None:
            return (EPOCH + timedelta(microseconds=int(value))).isoformat().replace("+00:00", "Z")
        return value

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Column:
        """Read back what `as_dict` wrote, in order to merge it."""
        present = data["count"] - data["nulls"]
        return cls(
            kind=data["type"],
            count=data["count"],
            nulls=data["nulls"],
            low=_unshow(data.get("min")),
            high=_unshow(data.get("max")),
            mean=data.get("mean", 0.0),
            m2=data.get("std", 0.0) ** 2 * max(1, present - 1),
            values=Counter(data["counts"]) if "counts" in data else None,
            grid=list(data.get("grid", [])),
        )


def _unshow(value: Any) -> Any:
    if isinstance(value, str):
        return (datetime.fromisoformat(value) - EPOCH) // timedelta(microseconds=1)
    return value


def _either(choose: Any, one: Any, other: Any) -> Any:
    known = [value for value in (one, other) if value is not None]
    return choose(known) if known else None


def _together(one: Counter[str] | None, other: Counter[str] | None) -> Counter[str] | None:
    if one is None or other is None:
        return None
    both = one + other
    return both if len(both) <= DISTINCT else None


def _merged_grid(grids: Iterable[tuple[Sequence[float], int]]) -> list[float]:
    """Percentiles of several sets of rows together, each percentile standing for a hundredth of its rows."""
    known = [(grid, weight) for grid, weight in grids if grid]
    if len(known) < 2:
        return list(known[0][0]) if known else []
    points = np.concatenate([np.asarray(grid, dtype=float) for grid, _ in known])
    weights = np.concatenate([np.full(len(grid), weight / len(grid)) for grid, weight in known])
    order = np.argsort(points, kind="stable")
    ranks = np.cumsum(weights[order]) - weights[order] / 2
    return [float(v) for v in np.interp(np.asarray(GRID) * weights.sum(), ranks, points[order])]


def measure(kind: str, column: pa.ChunkedArray) -> Column:
    """One block's column: counts, extremes, moments, values."""
    out = Column(kind, count=len(column), nulls=column.null_count)
    if out.present:
        _MEASURES[kind](out, column)
    return out


def _measure_numbers(out: Column, column: pa.ChunkedArray) -> None:
    extremes = pc.min_max(column)
    out.low, out.high = extremes["min"].as_py(), extremes["max"].as_py()
    floats = column.cast(pa.float64(), safe=False)
    out.mean = pc.mean(floats).as_py()
    out.m2 = pc.variance(floats).as_py() * out.present
    few = out.kind == INTEGER and int(out.high or 0) - int(out.low or 0) < 256  # codes and labels, not measures
    out.values = _counts(column) if few else None


def _measure_times(out: Column, column: pa.ChunkedArray) -> None:
    extremes = pc.min_max(column.cast(pa.int64()))
    out.low, out.high = extremes["min"].as_py(), extremes["max"].as_py()
    out.values = None


def _measure_booleans(out: Column, column: pa.ChunkedArray) -> None:
    true = pc.sum(column).as_py()
    out.mean = true / out.present
    out.m2 = true * (1 - out.mean)
    out.values = Counter({"true": true, "false": out.present - true})


def _measure_strings(out: Column, column: pa.ChunkedArray) -> None:
    long = pc.max(pc.utf8_length(column)).as_py() > LONG
    out.values = None if long else _counts(column)


def _counts(column: pa.ChunkedArray) -> Counter[str] | None:
    """How often each value occurs; None where there are too many to be worth it."""
    counts = pc.value_counts(column.drop_null())
    if len(counts) > DISTINCT:
        return None
    return Counter({str(c["values"]): c["counts"] for c in counts.to_pylist()})


_MEASURES = {
    INTEGER: _measure_numbers,
    NUMBER: _measure_numbers,
    BOOLEAN: _measure_booleans,
    TIMESTAMP: _measure_times,
    STRING: _measure_strings,
}


class RowSample:
    """A uniform sample of rows of unknown number: those with the smallest of random priorities.

    The generator has a fixed seed, so that the same file has the same profile.
    """

    def __init__(self, size: int = SAMPLE_ROWS) -> None:
        self._size = size
        self._random = np.random.default_rng(0)
        self._priorities = np.empty(0)
        self._columns: dict[str, np.ndarray[Any, Any]] = {}
        self._limit = 1.0

    def add(self, table: pa.Table, names: Sequence[str]) -> None:
        """Offer a block's rows; of columns `names`, which are numbers or times."""
        drawn = self._random.random(table.num_rows)
        rows = np.flatnonzero(drawn < self._limit)
        taken = table.select(names).take(pa.array(rows))
        self._priorities = np.concatenate([self._priorities, drawn[rows]])
        for name in names:
            known = self._columns.get(name, np.empty(0))
            self._columns[name] = np.concatenate([known, _floats(taken[name])])
        if len(self._priorities) > 2 * self._size:
            self._shrink()

    def _shrink(self) -> None:
        if len(self._priorities) <= self._size:
            return
        keep = np.argpartition(self._priorities, self._size)[: self._size]
        self._priorities = self._priorities[keep]
        self._columns = {name: values[keep] for name, values in self._columns.items()}
        self._limit = float(self._priorities.max())

    def grid(self, name: str) -> list[float]:
        """Percentiles 0 to 100 of a column; empty where it has no value."""
        self._shrink()
        values = self._columns.get(name, np.empty(0))
        values = values[~np.isnan(values)]
        return [float(v) for v in np.quantile(values, GRID)] if len(values) else []


def _floats(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=float)
