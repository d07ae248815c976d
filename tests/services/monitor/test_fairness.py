"""Fairness: a figure with an interval, and an alarm only where chance does not explain it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from headrace.contracts import FairnessPolicy, NotJudged
from headrace.monitor.fairness import MOST, Fairness, fairness_of, shortened
from headrace.monitor.intervals import Rates, greatest_difference, smallest_ratio, wilson
from headrace.testkit.examples import examples

WINDOWS = 200
GROUPS, EACH = 10, 150
DIFFERENCE = FairnessPolicy(measure="parity_difference", limit=0.1)
RATIO = FairnessPolicy(measure="parity_ratio", limit=0.8)


def rates(*pairs: tuple[int, int]) -> Rates:
    """Hits of rows, a group each."""
    hits, rows = np.array(pairs, dtype=np.float64).T
    return Rates(hits, rows)


@pytest.mark.parametrize(("hits", "rows"), [(0, 10), (3, 30), (56, 70), (999, 1000), (10, 10)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_the_interval_of_a_rate_is_scipys(hits: int, rows: int, confidence: float) -> None:
    """Wilson's score interval, as scipy computes it."""
    low, high = wilson(rates((hits, rows)), confidence)
    expected = stats.binomtest(hits, rows).proportion_ci(confidence, method="wilson")

    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 10), 0.6075, 1.0)],
)
def test_the_interval_of_a_difference_is_the_published_one(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    """Newcombe (1998), table II, method 10."""
    found = greatest_difference(rates(first, second), 0.95)

    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-4)


def test_the_interval_of_a_ratio_is_near_scipys() -> None:
    """Of two groups with many rows, where all intervals agree: Katz's, as scipy computes it."""
    found = smallest_ratio(rates((300, 1000), (600, 1000)), 0.95)
    expected = stats.contingency.relative_risk(300, 1000, 600, 1000).confidence_interval(0.95)

    assert found.value == 0.5
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=2e-3)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 400)), min_size=2, max_size=12))
@settings(max_examples=examples(200))
def test_intervals_hold_their_figure_and_are_finite(pairs: list[tuple[int, int]]) -> None:
    """Also for rates of 0 and 1, and for single rows."""
    found = rates(*[(min(hits, rows), rows) for hits, rows in pairs])

    for interval in (greatest_difference(found, 0.95), smallest_ratio(found, 0.95)):
        assert 0 <= interval.low <= interval.value + 1e-9
        assert interval.value <= interval.high + 1e-9 <= 1 + 1e-9


def a_window(rng: np.random.Generator, by_group: list[float], policy: FairnessPolicy) -> Fairness:
    """A window of answers whose groups have these rates of positive answers."""
    groups = np.repeat(np.arange(len(by_group)), EACH)
    positive = pd.Series((rng.uniform(size=len(groups)) < np.repeat(by_group, EACH)).astype(float))
    return fairness_of(positive, {"group": pd.Series(groups)}, policy, 30)


def breached(by_group: list[float], policy: FairnessPolicy) -> tuple[int, int]:
    """How many of WINDOWS windows are breached, and in how many the figure alone was over the limit."""
    rng = np.random.default_rng(42)
    found = [a_window(rng, by_group, policy).results[0] for _ in range(WINDOWS)]
    over = [each.value < each.limit if policy is RATIO else each.value > each.limit for each in found]
    return sum(each.breached for each in found), sum(over)


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("policy", [DIFFERENCE, RATIO], ids=["difference", "ratio"])
def test_a_fair_model_is_not_called_unfair(rate: float, policy: FairnessPolicy) -> None:
    """Ten groups of 150 rows: by the figure alone, 163 of 200 windows were breached."""
    alarms, _ = breached([rate] * GROUPS, policy)

    assert alarms <= WINDOWS * 0.05


def test_chance_alone_goes_over_the_limit() -> None:
    """What the interval is for: the greatest of many differences is great by chance."""
    _, over = breached([0.5] * GROUPS, DIFFERENCE)

    assert over > WINDOWS * 0.6


@pytest.mark.parametrize("policy", [DIFFERENCE, RATIO], ids=["difference", "ratio"])
def test_a_model_just_at_its_limit_is_called_unfair_seldom(policy: FairnessPolicy) -> None:
    """The rate of false alarms is at most the stated one where it is greatest: at the limit itself."""
    at_limit = [0.5] * (GROUPS - 1) + [0.4]

    alarms, _ = breached(at_limit, policy)

    assert alarms <= WINDOWS * 0.05


@pytest.mark.parametrize("policy", [DIFFERENCE, RATIO], ids=["difference", "ratio"])
def test_an_unfair_model_is_called_so(policy: FairnessPolicy) -> None:
    """One group of ten is answered positively half as often as the others."""
    alarms, _ = breached([0.7] * (GROUPS - 1) + [0.35], policy)

    assert alarms >= WINDOWS * 0.95


def test_the_interval_covers_the_true_figure_as_often_as_stated() -> None:
    """Simulated with unequal groups: at least 95 %, since Bonferroni is cautious."""
    rng, by_group = np.random.default_rng(7), [0.2, 0.3, 0.45, 0.5]
    held = []
    for _ in range(WINDOWS):
        result = a_window(rng, by_group, DIFFERENCE).results[0]
        assert result.low is not None
        assert result.high is not None
        held.append(result.low <= 0.3 <= result.high)

    assert sum(held) >= WINDOWS * 0.93


def test_groups_with_too_few_rows_are_listed_and_not_compared() -> None:
    """Each with its count; so are rows without a group."""
    groups = pd.Series(["UA"] * 100 + ["AA"] * 100 + ["ZZ"] * 3 + [None] * 2)
    positive = pd.Series([1.0] * 60 + [0.0] * 40 + [1.0] * 20 + [0.0] * 80 + [1.0] * 5)

    found = fairness_of(positive, {"carrier": groups}, FairnessPolicy(limit=0.1), 30)

    (result,) = found.results
    assert (result.value, result.group, result.groups, result.breached) == (pytest.approx(0.4), "AA", 2, True)
    assert [(each.group, each.rows, each.needed) for each in found.not_judged] == [("ZZ", 3, 30), (None, 2, None)]


@pytest.mark.parametrize(
    "groups", [["UA"] * 50, ["UA"] * 49 + ["AA"], [None] * 50], ids=["one group", "two, one too small", "no values"]
)
def test_a_column_that_cannot_be_compared_says_so(groups: list[Any]) -> None:
    """One group alone cannot be treated unevenly."""
    found = fairness_of(pd.Series([1.0] * 50), {"carrier": pd.Series(groups, dtype=object)}, FairnessPolicy(), 30)

    assert found.results == []
    assert "two groups of at least 30 rows" in found.not_judged[-1].reason


def test_a_thousand_groups_are_compared_within_bounds() -> None:
    """The greatest ones; pairs grow with the square."""
    groups = pd.Series(np.repeat(np.arange(MOST + 7), 40))

    found = fairness_of(pd.Series(np.ones(len(groups))), {"id": groups}, FairnessPolicy(), 30)

    assert found.results[0].groups == MOST
    assert len(found.not_judged) == 7


def test_what_is_not_judged_is_summed_up_where_it_is_much() -> None:
    """An event stays small, and no row is lost from the count."""
    many = [NotJudged(column="id", group=str(at), rows=1, reason="too few rows") for at in range(1000)]

    short = shortened(many)

    assert len(short) == 50
    assert sum(each.rows for each in short) == 1000
    assert shortened(many[:50]) == many[:50]
