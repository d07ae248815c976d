"""Profiles: exact where they say so, mergeable, and the same for the same file."""

from __future__ import annotations

import json
import math
import random
import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.ingest.profile import DISTINCT, GRID, Column, RowSample, measure
from headrace.ingest.sketch import RANK_ERROR, Sketch

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
    one.sketch.add(np.array([1.0, 2.0]))
    one.grid = one.sketch.quantiles(GRID)
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
        part.sketch = sample.sketch("x")
        parts.append(part)

    grid = parts[0].merge(parts[1]).grid

    assert grid[50] == pytest.approx(0.14, abs=0.15)  # the 55.6th percentile of the first part
    assert grid[95] == pytest.approx(100, abs=1)


def test_counts_of_empty_columns_merge() -> None:
    """A column that was empty so far takes over what comes."""
    merged = Column("string").merge(column("string", ["a"]))
    assert merged.values == Counter({"a": 1})


@pytest.mark.parametrize("sizes", [[30] * 1000, [1] * 500, [100_000, *[5] * 300], [7 * n + 1 for n in range(200)]])
def test_quantiles_of_many_parts_keep_their_error(sizes: list[int]) -> None:
    """A thousand parts or two, large or small, in any order of values: every rank is right within the stated error."""
    rng = np.random.default_rng(3)
    parts = [np.sort(rng.random(size)) for size in sizes]
    total = Column("number")
    for values in parts:
        part = Column("number", count=len(values), sketch=Sketch([values.tolist()]))
        total = Column.from_dict(json.loads(json.dumps(total.merge(part).as_dict())))

    everything = np.sort(np.concatenate(parts))
    ranks = np.searchsorted(everything, total.grid) / len(everything)
    assert np.abs(ranks - GRID).max() < RANK_ERROR + 1 / len(everything)
    assert total.sketch.weight == pytest.approx(len(everything), rel=0.02)


def test_a_sketch_stays_small() -> None:
    """Memory and the profile's size do not grow with the parts."""
    sketch = Sketch()
    for start in range(2000):
        sketch = sketch.merged(Sketch([[float(start)] * 50]))
    assert sum(map(len, sketch.as_lists())) < 1000
    assert sketch.weight == 100_000


def test_the_same_values_make_the_same_sketch() -> None:
    """What is drawn is drawn alike, so that the same file has the same profile."""
    values = np.random.default_rng(1).normal(size=30_000)
    one, other = Sketch(), Sketch()
    one.add(values)
    other.add(values)
    assert one.as_lists() == other.as_lists()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30), st.integers(1, 29))
def test_huge_numbers_have_a_profile(values: list[float], cut: int) -> None:
    """Squares of 1e300 overflow; the profile is JSON all the same, in parts or whole, and says what it can."""
    total = Column("number")
    for part in (values[:cut], values[cut:]):
        sample = RowSample()
        sample.add(pa.table({"x": pa.array(part, pa.float64())}), ["x"])
        measured = column("number", [*part], pa.float64())
        measured.grid, measured.sketch = sample.grid("x"), sample.sketch("x")
        json.dumps(measured.as_dict(), allow_nan=False)
        total = total.merge(measured)
    shown = json.loads(json.dumps(total.as_dict(), allow_nan=False))

    assert (shown["min"], shown["max"]) == (min(values), max(values))
    assert shown["grid"] == sorted(shown["grid"])


def test_the_deviation_of_huge_numbers_is_right() -> None:
    """It is a number as long as it fits into one."""
    found = column("number", [1e300, 3e300], pa.float64()).as_dict()
    assert found["mean"] == pytest.approx(2e300)
    assert found["std"] == pytest.approx(math.sqrt(2) * 1e300)


@pytest.mark.parametrize(
    ("values", "sentinel"),
    [([5.0, 7.5, -999.0, -999.0], -999), ([5.0, -7.0, 9999.0, 9999.0], 9999), ([-999.0, 5.0], None),
     ([-1000.0, -999.0, -999.0, -998.0], None), ([5.0, 7.0], None)],
)  # fmt: skip
def test_a_number_that_stands_for_a_missing_one_is_found(values: list[float], sentinel: float | None) -> None:
    """Apart from all others, and more than once."""
    assert column("number", [*values], pa.float64()).sentinel() == sentinel
