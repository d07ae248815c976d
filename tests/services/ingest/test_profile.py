"""Profiles: exact where they say so, mergeable, and the same for the same file."""

from __future__ import annotations

import json
import math
import random
import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.ingest.profile import DISTINCT, Column, RowSample, measure

NUMBERS = st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=60)


def column(kind: str, values: list[object], arrow: pa.DataType | None = None) -> Column:
    """Measure a list of values."""
    return measure(kind, pa.chunked_array([pa.array(values, arrow)]))


@given(NUMBERS, NUMBERS)
def test_two_halves_make_the_whole(one: list[float | None], other: list[float | None]) -> None:
    """Merged, the profiles of two blocks are that of both: counts, extremes, mean, deviation."""
    merged = column("number", [*one], pa.float64()).merge(column("number", [*other], pa.float64())).as_dict()
    values = [v for v in one + other if v is not None]

    assert merged["count"] == len(one + other)
    assert merged["nulls"] == len(one + other) - len(values)
    if values:
        assert (merged["min"], merged["max"]) == (min(values), max(values))
        assert merged["mean"] == pytest.approx(statistics.fmean(values), abs=1e-6)
    if len(values) > 1:
        assert merged["std"] == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-4)


def test_a_profile_is_read_back_and_merged() -> None:
    """What was written for one part is taken up when the next part comes."""
    one = column("number", [1.0, 2.0, None])
    one.grid = [float(i) for i in range(101)]
    again = Column.from_dict(json.loads(json.dumps(one.as_dict())))

    assert again.as_dict() == one.as_dict()
    assert again.merge(column("number", [4.0], pa.float64())).as_dict()["mean"] == pytest.approx(7 / 3)


def test_integers_beyond_53_bits_keep_their_digits() -> None:
    """Extremes are exact; only the mean is a float."""
    found = column("integer", [2**62 + 1, -(2**62) - 1]).as_dict()
    assert (found["min"], found["max"]) == (-(2**62) - 1, 2**62 + 1)
    assert math.isfinite(found["std"])


def test_categories_are_counted() -> None:
    """Texts of few values, codes and booleans have their counts; the most frequent first."""
    assert column("string", ["b", "a", "b", None]).as_dict()["top"] == [
        {"value": "b", "count": 2},
        {"value": "a", "count": 1},
    ]
    assert column("integer", [0, 1, 1]).as_dict()["counts"] == {"0": 1, "1": 2}
    found = column("boolean", [True, False, True, None]).as_dict()
    assert found["counts"] == {"true": 2, "false": 1}
    assert found["mean"] == pytest.approx(2 / 3)


def test_too_many_values_are_no_categories() -> None:
    """Memory stays flat: beyond ten thousand values, or very long ones, nothing is counted."""
    many = [f"v{i}" for i in range(DISTINCT + 1)]
    assert column("string", [*many]).values is None
    assert column("string", ["x" * 300]).values is None
    halves = column("string", [*many[: DISTINCT // 2]]).merge(column("string", [*many[DISTINCT // 2 :]]))
    assert halves.values is None
    assert halves.merge(column("string", ["a"])).values is None


def test_times_are_shown_as_times() -> None:
    """ISO 8601 in UTC, and read back."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = column("timestamp", [start, start + timedelta(microseconds=1)], pa.timestamp("us", "UTC"))
    assert found.as_dict()["min"] == "2026-01-01T00:00:00Z"
    assert Column.from_dict(found.as_dict()).high == found.high


def test_a_column_without_values_has_a_profile() -> None:
    """All missing: counted, and nothing else said."""
    assert column("number", [None, None], pa.float64()).as_dict() == {
        "type": "number",
        "count": 2,
        "nulls": 2,
        "counts": {},
    }


def test_quantiles_come_from_a_sample_of_all_blocks() -> None:
    """However the rows are ordered, the sample stands for all of them, and is the same each time."""
    values = [float(i) for i in range(200_000)]
    grids = []
    for _ in range(2):
        sample = RowSample(5000)
        for start in range(0, len(values), 10_000):
            sample.add(pa.table({"x": values[start : start + 10_000]}), ["x"])
        grids.append(sample.grid("x"))

    assert grids[0] == grids[1]
    assert all(abs(grids[0][q] - q * 2000) < 6000 for q in range(101))


def test_quantiles_of_parts_merge_by_their_size() -> None:
    """A large part weighs more than a small one."""
    random.seed(1)
    parts = []
    for count, mean in ((90_000, 0.0), (10_000, 100.0)):
        sample = RowSample()
        sample.add(pa.table({"x": [random.gauss(mean, 1) for _ in range(count)]}), ["x"])
        part = Column("number", count=count)
        part.grid = sample.grid("x")
        parts.append(part)

    grid = parts[0].merge(parts[1]).grid

    assert grid[50] == pytest.approx(0.14, abs=0.15)  # the 55.6th percentile of the first part
    assert grid[95] == pytest.approx(100, abs=1)


def test_counts_of_empty_columns_merge() -> None:
    """A column that was empty so far takes over what comes."""
    merged = Column("string").merge(column("string", ["a"]))
    assert merged.values == Counter({"a": 1})
