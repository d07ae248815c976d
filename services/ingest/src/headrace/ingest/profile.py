"""What a column holds, in one pass and flat memory: moments exactly, quantiles from a fixed sample of rows.

Two profiles merge into that of both: parts of a data set are profiled once, when they come. Quantiles of merged parts
come from a sketch with a stated error, whatever the number and the sizes of the parts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.ingest.sketch import Sketch, scale_of
from headrace.ingest.sources.kinds import BOOLEAN, INTEGER, NUMBER, STRING, TIMESTAMP

DISTINCT = 10_000  # values counted a column; a column with more is no category
LONG = 256  # characters; longer values are not counted one by one
TOP = 20
SAMPLE_ROWS = 20_000  # at least, of larger files; standard error of a quantile's rank: 0.35 %
SENTINELS = frozenset([-99999, -9999, -999, -99, 9999, 99999, 999999])  # numbers that people write for missing ones
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
    root: float = 0.0  # of the sum of squared differences from the mean, which itself may overflow
    values: Counter[str] | None = field(default_factory=Counter)  # None: too many to count
    grid: list[float] = field(default_factory=list)  # percentiles 0 to 100
    sketch: Sketch = field(default_factory=Sketch)
    odd: Counter[float] = field(default_factory=Counter)  # how often extremes are numbers that may mean missing
    inner: tuple[float, float] | None = None  # extremes of all other numbers

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.count - self.nulls

    def merge(self, other: Column) -> Column:
        """The column of both (Chan et al. 1979 for mean and variance)."""
        n = self.present + other.present
        share = other.present / n if n else 0.0
        apart = (other.mean / 2 - self.mean / 2) * 2 * math.sqrt(self.present * share)
        sketch = self.sketch.merged(other.sketch)
        return Column(
            kind=self.kind,
            count=self.count + other.count,
            nulls=self.nulls + other.nulls,
            low=_either(min, self.low, other.low),
            high=_either(max, self.high, other.high),
            mean=self.mean * (1 - share) + other.mean * share,
            root=math.hypot(self.root, other.root, apart),
            values=_together(self.values, other.values),
            grid=sketch.quantiles(GRID),
            sketch=sketch,
            odd=self.odd + other.odd,
            inner=_outer(self.inner, other.inner),
        )

    def sentinel(self) -> float | None:
        """The number that stands apart from all others and comes more than once, as -999 does for a missing value."""
        for value, count in self.odd.items():
            if self.inner is None or count < 2:
                continue
            low, high = self.inner
            apart = low - value if value < low else value - high
            if (value < 0 <= low) or apart > high - low:
                return value
        return None

    def as_dict(self) -> dict[str, Any]:
        """The column as the profile's JSON has it; times in ISO 8601."""
        out: dict[str, Any] = {"type": self.kind, "count": self.count, "nulls": self.nulls}
        if self.kind in (INTEGER, NUMBER, TIMESTAMP) and self.low is not None:
            out |= {"min": self._show(self.low), "max": self._show(self.high)}
        if self.kind in (INTEGER, NUMBER, BOOLEAN) and self.present:
            moments = {"mean": self.mean, "std": self.root / math.sqrt(max(1, self.present - 1))}
            out |= {name: value for name, value in moments.items() if math.isfinite(value)}
        if self.grid:
            out["quantiles"] = {str(q): self._show(self.grid[round(q * 100)]) for q in SHOWN}
            out["grid"] = self.grid
            out["sketch"] = self.sketch.as_lists()
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
            root=data.get("std", 0.0) * math.sqrt(max(1, present - 1)),
            values=Counter(data["counts"]) if "counts" in data else None,
            grid=list(data.get("grid", [])),
            sketch=Sketch(data.get("sketch", [])),
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


def _outer(one: tuple[float, float] | None, other: tuple[float, float] | None) -> tuple[float, float] | None:
    known = [each for each in (one, other) if each is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None


def measure(kind: str, column: pa.ChunkedArray) -> Column:
    """One block's column: counts, extremes, moments, values."""
    out = Column(kind, count=len(column), nulls=column.null_count)
    if out.present:
        _MEASURES[kind](out, column)
    return out


def _measure_numbers(out: Column, column: pa.ChunkedArray) -> None:
    known = (column.drop_null() if column.null_count else column).to_numpy()  # whose extremes are 20 times faster
    out.low, out.high = known.min().item(), known.max().item()
    floats = column.cast(pa.float64(), safe=False)
    scale = scale_of(max(abs(float(out.low or 0)), abs(float(out.high or 0))))
    scaled = pc.divide(floats, scale) if scale != 1 else floats
    out.mean = pc.mean(scaled).as_py() * scale
    out.root = math.sqrt(pc.variance(scaled).as_py() * out.present) * scale
    _set_apart(out, floats)
    few = out.kind == INTEGER and int(out.high or 0) - int(out.low or 0) < 256  # codes and labels, not measures
    out.values = _counts(column) if few else None


def _set_apart(out: Column, column: pa.ChunkedArray) -> None:
    """Count the extremes that may mean missing, and find the extremes of all others."""
    low, high = float(out.low or 0), float(out.high or 0)
    suspects = {low, high} & SENTINELS
    if suspects:
        others = column.filter(pc.invert(pc.is_in(column, value_set=pa.array(suspects, pa.float64()))))
        extremes = pc.min_max(others)
        out.odd = Counter({each: int(pc.sum(pc.equal(column, each)).as_py()) for each in suspects})
        low, high = extremes["min"].as_py(), extremes["max"].as_py()
    out.inner = None if low is None else (low, high)


def _measure_times(out: Column, column: pa.ChunkedArray) -> None:
    extremes = pc.min_max(column.cast(pa.int64()))
    out.low, out.high = extremes["min"].as_py(), extremes["max"].as_py()
    out.values = None


def _measure_booleans(out: Column, column: pa.ChunkedArray) -> None:
    true = pc.sum(column).as_py()
    out.mean = true / out.present
    out.root = math.sqrt(true * (1 - out.mean))
    out.values = Counter({"true": true, "false": out.present - true})


def _measure_strings(out: Column, column: pa.ChunkedArray) -> None:
    out.values = None if _has_long(column) else _counts(column)


def _has_long(column: pa.ChunkedArray) -> bool:
    if pc.max(pc.binary_length(column)).as_py() <= LONG:
        return False
    return bool(pc.max(pc.utf8_length(column)).as_py() > LONG)


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
    """A uniform sample of rows of unknown number: those with random priorities under a limit that halves as rows come.

    Each row of the sample then stands for a power of two of rows, as values of a sketch do. The generator has a fixed
    seed, so that the same file has the same profile.
    """

    def __init__(self, size: int = SAMPLE_ROWS) -> None:
        self._size = size
        self._random = np.random.default_rng(0)
        self._priorities = np.empty(0)
        self._columns: dict[str, np.ndarray[Any, Any]] = {}
        self._sorted: dict[str, np.ndarray[Any, Any]] = {}
        self._halvings = 0

    def add(self, table: pa.Table, names: Sequence[str]) -> None:
        """Offer a block's rows; of columns `names`, which are numbers or times."""
        self._sorted.clear()
        drawn = self._random.random(table.num_rows)
        rows = np.flatnonzero(drawn < 0.5**self._halvings)
        taken = table.select(names).take(pa.array(rows))
        self._priorities = np.concatenate([self._priorities, drawn[rows]])
        for name in names:
            known = self._columns.get(name, np.empty(0))
            self._columns[name] = np.concatenate([known, _floats(taken[name])])
        while len(self._priorities) > 2 * self._size:
            self._halve()

    def _halve(self) -> None:
        self._halvings += 1
        keep = self._priorities < 0.5**self._halvings
        self._priorities = self._priorities[keep]
        self._columns = {name: values[keep] for name, values in self._columns.items()}

    def _values(self, name: str) -> np.ndarray[Any, Any]:
        """The values of a column in ascending order; kept, because they are asked for twice."""
        if name not in self._sorted:
            values = self._columns.get(name, np.empty(0))
            self._sorted[name] = np.sort(values[~np.isnan(values)])
        return self._sorted[name]

    def grid(self, name: str) -> list[float]:
        """Percentiles 0 to 100 of a column; empty where it has no value."""
        values = self._values(name)
        if not len(values):
            return []
        scale = scale_of(float(np.abs(values).max()))
        return [float(v) for v in np.quantile(values / scale, GRID) * scale]

    def sketch(self, name: str) -> Sketch:
        """The column's sketch, to be merged with those of other parts."""
        sketch = Sketch()
        sketch.add(self._values(name), self._halvings)
        return sketch


def _floats(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=float)
