"""The sketch of quantiles: exact while it is small, within its promised error when it is not, and mergeable."""

import math
from bisect import bisect_left, bisect_right

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.ingest.sketch import LARGE, RANK_ERROR, K, Sketch, scale_of
from headrace.testkit.examples import examples

SHARES = [0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0]


def sketch_of(values: list[float] | np.ndarray, batch: int = 10_000) -> Sketch:
    """A sketch that took the values in, some at a time."""
    sketch = Sketch()
    for start in range(0, len(values), batch):
        sketch.add(np.asarray(values[start : start + batch], dtype=float))
    return sketch


def rank_error(values: np.ndarray, share: float, found: float) -> float:
    """How far the share of values up to `found` is from the share that was asked for."""
    ordered = np.sort(values)
    low, high = bisect_left(ordered, found) / len(values), bisect_right(ordered, found) / len(values)
    return max(0.0, low - share, share - high)


@settings(max_examples=examples(25))
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=K))
def test_few_values_have_their_exact_quantiles(values: list[float]) -> None:
    """The smallest value at whose rank the share is reached, as numpy's inverted_cdf."""
    found = sketch_of(values, 7).quantiles(SHARES)

    assert found == [float(v) for v in np.quantile(values, SHARES, method="inverted_cdf")]


def test_no_value_has_no_quantile() -> None:
    """Neither at first, nor after empty batches."""
    sketch = Sketch()
    assert (sketch.quantiles(SHARES), sketch.weight) == ([], 0)
    sketch.add(np.empty(0))
    assert (sketch.quantiles(SHARES), sketch.weight, sketch.merged(Sketch()).weight) == ([], 0, 0)


@pytest.mark.parametrize("order", ["as drawn", "rising", "falling", "few values"])
@pytest.mark.parametrize("batch", [999, 50_000])
def test_many_values_have_quantiles_within_the_promised_error(order: str, batch: int) -> None:
    """In whatever order they come, and in bounded memory."""
    drawn = np.random.default_rng(7).lognormal(size=60_000)
    values = {
        "as drawn": drawn,
        "rising": np.sort(drawn),
        "falling": np.sort(drawn)[::-1],
        "few values": np.round(drawn),
    }[order]

    sketch = sketch_of(values, batch)

    assert sketch.weight == len(values)
    assert sum(map(len, sketch.as_lists())) <= 4 * K
    for share, found in zip(SHARES, sketch.quantiles(SHARES), strict=True):
        assert rank_error(values, share, found) <= RANK_ERROR
        assert found in values


def test_parts_together_are_as_good_as_the_whole() -> None:
    """Merged from ten parts of different sizes; the parts stay as they were."""
    rng = np.random.default_rng(8)
    parts = [rng.normal(at, 1, size=500 * (at + 1)) for at in range(10)]
    sketches = [sketch_of(part) for part in parts]
    before = [each.as_lists() for each in sketches]

    whole = Sketch()
    for each in sketches:
        whole = whole.merged(each)

    values = np.concatenate(parts)
    assert whole.weight == len(values)
    for share, found in zip(SHARES, whole.quantiles(SHARES), strict=True):
        assert rank_error(values, share, found) <= RANK_ERROR
    assert [each.as_lists() for each in sketches] == before


def test_the_same_values_make_the_same_sketch() -> None:
    """Whoever computes it again gets the same figures; and it survives being stored."""
    values = np.random.default_rng(9).normal(size=20_000)

    first, second = sketch_of(values), sketch_of(values)
    stored = Sketch(first.as_lists())

    assert first.as_lists() == second.as_lists() == stored.as_lists()
    assert (stored.weight, stored.quantiles(SHARES)) == (first.weight, first.quantiles(SHARES))


def test_a_value_of_a_level_stands_for_a_power_of_two() -> None:
    """One at level 3 weighs eight at level 0."""
    sketch = Sketch([[1.0], [], [], [2.0]])

    assert sketch.weight == 9
    assert sketch.quantiles([0.0, 1 / 9, 0.12, 1.0]) == [1.0, 1.0, 2.0, 2.0]
    sketch.add(np.array([3.0]), height=4)
    assert (sketch.weight, sketch.as_lists()) == (25, [[1.0], [], [], [2.0], [3.0]])


@pytest.mark.parametrize(
    ("largest", "scale"), [(0.0, 1.0), (1.0, 1.0), (math.nextafter(LARGE, 0), 1.0), (2.0**600, 2.0**600)]
)
def test_huge_values_are_scaled_by_a_power_of_two(largest: float, scale: float) -> None:
    """So that nothing is lost but range; 1 for all others."""
    assert scale_of(largest) == scale


@settings(max_examples=examples(25))
@given(st.floats(LARGE, 1.7976931348623157e308))
def test_a_scaled_value_can_be_squared(largest: float) -> None:
    """It lies between 1 and 2, and comes back exactly."""
    scale = scale_of(largest)

    assert 1 <= largest / scale < 2
    assert (largest / scale) * scale == largest
    assert math.frexp(scale)[0] == 0.5
