"""What replicas saw of a new version, in sums, and what a declaration allows of it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.contracts import AnswersCompared, VersionTraffic
from headrace.strategies import STRATEGIES, Placement
from headrace.strategies.evidence import FEWEST_REQUESTS, Compared, Policy, Seen


def traffic(requests: int = 0, errors: int = 0, p99_ms: float = 0.0, compared: AnswersCompared | None = None) -> Any:
    """One report of a replica."""
    told = {"version": 2, "requests": requests, "errors": errors, "p50_ms": 0.0, "p99_ms": p99_ms}
    known = {name: value for name, value in told.items() if name in VersionTraffic.model_fields}
    return VersionTraffic.model_construct(**known, compared=compared)


def alike(champion: list[float], shadow: list[float], same: int | None = None) -> Compared:
    """The comparison of numbers that a champion and its shadow answered, one a row."""
    gap = sum(abs(one - other) for one, other in zip(champion, shadow, strict=True))
    rows = len(champion)
    squares = sum(each * each for each in champion)
    return Compared(rows, rows if same is None else same, rows, gap, sum(champion), squares)


@pytest.mark.parametrize(
    ("reports", "requests", "error_rate", "p99"),
    [
        ([], 0, 0.0, None),
        ([(0, 0, 0.0)], 0, 0.0, None),
        ([(10, 1, 30.0)], 10, 0.1, 30.0),
        ([(10, 1, 30.0), (30, 1, 10.0)], 40, 0.05, 15.0),
        ([(1, 1, 9000.0), (999, 0, 10.0)], 1000, 0.001, 18.99),
        ([(5, 5, 7.0), (0, 0, 1e9)], 5, 1.0, 7.0),
    ],
)
def test_reports_are_added(reports: list[tuple[int, int, float]], requests: int, error_rate: float, p99: Any) -> None:
    """Each one's 99th percentile counts by its requests: one that saw nothing says nothing."""
    seen = Seen()
    for each in reports:
        seen = seen.plus(traffic(*each))

    assert (seen.requests, seen.error_rate) == (requests, error_rate)
    assert seen.p99_ms == (p99 if p99 is None else pytest.approx(p99))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5), st.floats(0, 1e4)), max_size=6), st.randoms())
@settings(max_examples=40)
def test_the_order_of_reports_does_not_matter(reports: list[tuple[int, int, float]], random: Any) -> None:
    """Replicas report when they like."""
    shuffled = random.sample(reports, len(reports))

    def summed(each: list[tuple[int, int, float]]) -> Seen:
        seen = Seen()
        for report in each:
            seen = seen.plus(traffic(*report))
        return seen

    one, other = summed(reports), summed(shuffled)
    assert (one.requests, one.errors) == (other.requests, other.errors)
    assert one.weighted_p99 == pytest.approx(other.weighted_p99)


@pytest.mark.parametrize(
    ("compared", "agreement", "distance"),
    [
        (Compared(), 1.0, None),
        (Compared(rows=4, same=3), 0.75, None),
        (Compared(rows=4, same=0), 0.0, None),
        (alike([0, 2], [0, 2]), 1.0, 0.0),
        (alike([0, 2], [1, 3]), 1.0, 1.0),
        (alike([0, 2], [-1, 3]), 1.0, 1.0),
        (alike([0, 4], [1, 5]), 1.0, 0.5),
        (alike([0, 2], [0, 3]), 1.0, 0.5),
        (alike([5, 5, 5], [5, 5, 6]), 1.0, None),
        (alike([0, 0], [1, 1]), 1.0, None),
        (alike([1e9, 1e9 + 1e-3], [0, 0]), 1.0, None),
        (alike([1000, 1002], [1001, 1003]), 1.0, 1.0),
    ],
)
def test_how_a_shadow_compares_with_its_champion(compared: Compared, agreement: float, distance: float | None) -> None:
    """By the share of equal rows, and in standard deviations; of numbers without a spread nothing can be said."""
    assert compared.agreement == agreement
    assert compared.distance == (distance if distance is None else pytest.approx(distance))


@pytest.mark.parametrize("shift", [0.0, 10.0, -250.0])
@pytest.mark.parametrize("scale", [0.5, 1.0, 30.0])
def test_the_distance_has_no_unit(shift: float, scale: float) -> None:
    """Degrees or metres, from whichever zero: the same two models are as far apart."""
    champion, shadow = [1.0, 2.0, 4.0, 7.0], [1.5, 2.0, 3.0, 7.5]
    expected = alike(champion, shadow).distance

    moved = alike([scale * each + shift for each in champion], [scale * each + shift for each in shadow])

    assert expected is not None
    assert moved.distance == pytest.approx(expected, rel=1e-6)
    assert expected == pytest.approx(0.5 / math.sqrt(21 / 4))


def test_sums_of_two_reports_are_those_of_all_rows() -> None:
    """Field by field."""
    report = AnswersCompared(rows=2, same=1, numbers=3, gap=0.5, total=6.0, squares=14.0)

    once = Compared().plus(report)
    twice = once.plus(report)

    assert once == Compared(2, 1, 3, 0.5, 6.0, 14.0)
    assert twice == Compared(4, 2, 6, 1.0, 12.0, 28.0)
    assert twice.distance == once.distance


def test_a_report_without_a_comparison_keeps_what_was_compared() -> None:
    """A replica that serves no shadow has nothing to say of it."""
    report = AnswersCompared(rows=2, same=1, numbers=0, gap=0.0, total=0.0, squares=0.0)

    seen = Seen().plus(traffic(5, compared=report)).plus(traffic(5))

    assert seen.compared == Compared(2, 1)
    assert seen.requests == 10


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (Seen(), {"requests": 0, "errors": 0}),
        (Seen(10, 1, 250.0), {"requests": 10, "errors": 1, "p99_ms": 25.0}),
        (
            Seen(10, 0, 10.0, Compared(8, 6)),
            {"requests": 10, "errors": 0, "p99_ms": 1.0, "compared": 8, "agreement": 0.75},
        ),
        (
            Seen(2, 0, 2.0, alike([0, 2], [1, 3])),
            {"requests": 2, "errors": 0, "p99_ms": 1.0, "compared": 2, "agreement": 1.0, "distance": 1.0},
        ),
    ],
)
def test_the_evidence_is_what_was_seen(seen: Seen, told: dict[str, Any]) -> None:
    """As events carry it: what is not known is left out."""
    assert seen.evidence().model_dump(exclude_none=True) == told


POLICY = Policy("canary", max_error_rate=0.1, max_p99_ms=100.0)


@pytest.mark.parametrize(
    ("seen", "at_end", "fault"),
    [
        (Seen(), False, None),
        (Seen(), True, None),
        (Seen(19, 19), False, None),
        (Seen(19, 19), True, "19 of 19 requests failed; at most 10.00% may"),
        (Seen(20, 2), False, None),
        (Seen(20, 3), False, "3 of 20 requests failed; at most 10.00% may"),
        (Seen(20, 2), True, None),
        (Seen(10, 1), True, None),
        (Seen(10, 2), True, "2 of 10 requests failed; at most 10.00% may"),
        (Seen(20, 0, 2000.0), False, None),
        (Seen(20, 0, 2002.0), False, "p99 of 100.1 ms over 20 requests; at most 100 ms is allowed"),
        (Seen(19, 0, 19e6), False, None),
        (Seen(19, 0, 19e6), True, None),
        (Seen(20, 20, 20e6), False, "20 of 20 requests failed; at most 10.00% may"),
    ],
)
def test_a_fault_is_more_than_is_allowed(seen: Seen, at_end: bool, fault: str | None) -> None:
    """What is just allowed is allowed; few requests are judged at the end alone, and never by how slow they were."""
    assert POLICY.fault(seen, at_end=at_end) == fault


@pytest.mark.parametrize(
    ("compared", "said"),
    [
        (Compared(), None),
        (Compared(rows=10, same=8), None),
        (
            Compared(rows=10, same=7),
            "its answers equal the champion's on 70.0% of 10 rows; at least 80.0% must (serving.shadow.agreement)",
        ),
        (alike([0, 2], [1, 3]), None),
        (
            alike([0, 2], [1, 4]),
            "its numbers differ from the champion's by 1.50 standard deviations in the mean of 2 rows; at most 1 may "
            "(serving.shadow.distance)",
        ),
        (alike([3, 3], [9, 9]), None),
        (
            alike([0, 2], [9, 9], same=0),
            "its answers equal the champion's on 0.0% of 2 rows; at least 80.0% must (serving.shadow.agreement)",
        ),
    ],
)
def test_a_shadow_is_unlike_its_champion_beyond_what_is_declared(compared: Compared, said: str | None) -> None:
    """Labels first, then numbers; the limits themselves are allowed."""
    assert Policy("shadow").unlike(compared) == said


WAITS = (
    "the shadow has answered {} of the 20 requests that it is judged by; it waits for traffic, unless somebody "
    "promotes it or rolls it back"
)


@pytest.mark.parametrize(
    ("seen", "held"),
    [
        (Seen(), WAITS.format(0)),
        (Seen(19, compared=Compared(500, 500)), WAITS.format(19)),
        (Seen(500, compared=Compared(19, 19)), WAITS.format(19)),
        (Seen(500), WAITS.format(0)),
        (Seen(20, compared=Compared(20, 20)), None),
        (Seen(20, compared=Compared(20, 16)), None),
        (
            Seen(20, compared=Compared(20, 15)),
            "its answers equal the champion's on 75.0% of 20 rows; at least 80.0% must (serving.shadow.agreement); it "
            "waits until somebody promotes it or rolls it back",
        ),
    ],
)
def test_a_shadow_is_held_until_it_was_compared_enough_and_is_alike(seen: Seen, held: str | None) -> None:
    """By the fewer of its requests and of the rows that were compared."""
    assert FEWEST_REQUESTS == 20
    assert STRATEGIES["shadow"].held(Policy("shadow"), seen) == held


@pytest.mark.parametrize("name", ["canary", "direct"])
def test_who_answers_callers_is_held_by_nothing_else(name: str) -> None:
    """Its traffic is the evidence."""
    assert STRATEGIES[name].held(Policy(name), Seen()) is None


@pytest.mark.parametrize(
    ("name", "share", "placement", "shown"),
    [
        ("canary", 10, Placement(90, "canary", 10), 10),
        ("canary", 50, Placement(50, "canary", 50), 50),
        ("canary", 100, Placement(0, "canary", 100), 100),
        ("direct", 100, Placement(100, "canary", 0), 100),
        ("shadow", 100, Placement(100, "shadow", 100), 0),
    ],
)
def test_who_gets_the_traffic_at_a_step(name: str, share: int, placement: Placement, shown: int) -> None:
    """A canary its share, a version that goes direct none before it is loaded, a shadow all of it twice."""
    assert STRATEGIES[name].placement(share) == placement
    assert STRATEGIES[name].shown(share) == shown


@pytest.mark.parametrize(
    ("name", "declared", "steps"),
    [
        ("canary", [], (100,)),
        ("canary", [100], (100,)),
        ("canary", [10, 50, 100], (10, 50, 100)),
        ("canary", [50, 10], (10, 50, 100)),
        ("canary", [10, 10, 100], (10, 100)),
        ("canary", [0, -5, 1, 99, 150], (1, 99, 100)),
        ("direct", [10, 50], (100,)),
        ("shadow", [10, 50], (100,)),
    ],
)
def test_the_steps_that_a_version_goes_through(name: str, declared: list[int], steps: tuple[int, ...]) -> None:
    """Only a canary takes those that are declared."""
    assert STRATEGIES[name].steps(declared) == steps


@pytest.mark.parametrize(
    ("name", "protects", "ends"), [("canary", True, False), ("direct", False, True), ("shadow", True, False)]
)
def test_what_a_strategy_is_known_for(name: str, protects: bool, ends: bool) -> None:
    """Whether leaving it is a loosening, and whether it is over with the first replica."""
    assert (STRATEGIES[name].protects, STRATEGIES[name].ends_when_loaded) == (protects, ends)
