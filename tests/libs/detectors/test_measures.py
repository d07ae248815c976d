"""Detectors by values that are worked out by hand, by scipy, and by what must hold whatever the data are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from headrace.detectors import DETECTORS, SMALL, usual
from headrace.detectors.base import shares
from headrace.detectors.psi import FLOOR
from headrace.detectors.wasserstein import BINS, EXACT

COUNTS = st.lists(st.integers(0, 500), min_size=2, max_size=8)


def measured(name: str, reference: list[float], current: list[float]) -> float:
    """The score of a detector."""
    return DETECTORS[name].measure(np.array(reference, dtype=float), np.array(current, dtype=float))


@pytest.mark.parametrize(
    ("name", "reference", "current", "score"),
    [
        ("wasserstein", [0, 1], [0, 1], 0),
        ("wasserstein", [0, 2], [1, 3], 1),
        ("wasserstein", [0, 2], [0, 4], 1),
        ("wasserstein", [0, 2], [2], 1),
        ("wasserstein", [0, 2, 0, 2], [0, 2], 0),
        ("wasserstein", [0, 4], [1, 5], 0.5),
        ("wasserstein", [0, 2], [-5, -5], 6),
        ("wasserstein", [5, 5], [8], 3),
        ("wasserstein", [5], [5, 5, 5], 0),
        ("wasserstein", [], [1, 2], 0),
        ("wasserstein", [1, 2], [], 0),
        ("jensen_shannon", [1, 1], [5, 5], 0),
        ("jensen_shannon", [1, 0], [0, 1], 1),
        ("jensen_shannon", [3, 0, 0], [0, 1, 1], 1),
        ("jensen_shannon", [1, 1], [1, 0], math.sqrt((0.5 * math.log2(2 / 3) + 0.5 + math.log2(4 / 3)) / 2)),
        ("jensen_shannon", [0, 0], [0, 0], 0),
        ("psi", [1, 1], [7, 7], 0),
        ("psi", [5, 5], [8, 2], 0.3 * math.log(1.6) - 0.3 * math.log(0.4)),
        ("psi", [1, 3], [3, 1], 0.5 * math.log(3) * 2),
        ("psi", [1, 0], [1, 0], 0),
        ("psi", [1, 1], [1, 0], 0.5 * math.log(2) + (FLOOR - 0.5) * math.log(FLOOR / 0.5)),
        ("chi_square", [10, 10], [10, 10], 1),
        ("chi_square", [10, 20], [20, 10], math.erfc(math.sqrt(20 / 3 / 2))),
        ("chi_square", [10, 20, 0], [20, 10, 0], math.erfc(math.sqrt(20 / 3 / 2))),
        ("chi_square", [10, 10, 10], [20, 5, 5], math.exp(-20 / 3 / 2)),
        ("chi_square", [10, 0], [20, 0], 1),
        ("chi_square", [0, 0], [3, 4], 1),
        ("chi_square", [3, 4], [0, 0], 1),
        ("z_test", [10, 20], [20, 10], math.erfc(math.sqrt(20 / 3 / 2))),
        ("z_test", [10, 20], [10, 20], 1),
        ("z_test", [10, 0], [20, 0], 1),
        ("z_test", [0, 10], [0, 20], 1),
        ("z_test", [0, 0], [3, 4], 1),
        ("z_test", [3, 4], [0, 0], 1),
        ("z_test", [36, 64], [64, 36], math.erfc(0.28 / math.sqrt(0.25 * 2 / 100) / math.sqrt(2))),
        ("ks", [1, 2, 3, 4], [1, 2, 3, 4], 1),
        ("ks", [1], [1], 1),
        ("ks", [1], [2], 1),
        ("ks", [], [1, 2], 1),
        ("ks", [1, 2], [], 1),
    ],
)  # fmt: skip
def test_a_score_is_what_anybody_can_work_out(
    name: str, reference: list[float], current: list[float], score: float
) -> None:
    """With two categories chi-square is the square of z, and with three its p-value is an exponential."""
    assert measured(name, reference, current) == pytest.approx(score, rel=1e-9, abs=1e-12)


@given(COUNTS, st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_distances_of_counts_are_scipys(reference: list[int], seed: int) -> None:
    """Whatever the counts are, as long as there are some on both sides."""
    current = np.random.default_rng(seed).integers(0, 500, len(reference)).astype(float)
    if not sum(reference) or not current.sum():
        return

    expected = jensenshannon(np.array(reference), current, base=2)

    assert measured("jensen_shannon", reference, list(current)) == pytest.approx(np.nan_to_num(expected), abs=1e-7)


@given(COUNTS, COUNTS)
@settings(max_examples=40)
def test_distances_of_counts_are_the_same_in_both_directions(one: list[int], other: list[int]) -> None:
    """Neither side is the measure of the other; and both know only shares, not how many rows there were."""
    size = min(len(one), len(other))
    a, b = [float(each) for each in one[:size]], [float(each) for each in other[:size]]

    for name in ("jensen_shannon", "psi"):
        assert measured(name, a, b) == pytest.approx(measured(name, b, a), abs=1e-12)
        assert measured(name, [3 * each for each in a], b) == pytest.approx(measured(name, a, b), abs=1e-9)


@given(COUNTS)
@settings(max_examples=40)
def test_the_order_of_categories_says_nothing(counts: list[int]) -> None:
    """They are sorted by whoever counts them."""
    reference, current = [float(each) for each in counts], [float(each) for each in reversed(counts)]
    for name in ("jensen_shannon", "psi", "chi_square"):
        turned = measured(name, reference[::-1], current[::-1])
        assert measured(name, reference, current) == pytest.approx(turned, abs=1e-12)


@pytest.mark.parametrize("counts", [([30, 70], [45, 55]), ([3, 997], [9, 991]), ([1, 1], [1, 9])])
def test_a_test_of_two_shares_is_the_chi_square_of_their_table(counts: tuple[list[float], list[float]]) -> None:
    """Without a correction for continuity: what it would hide in small samples, the limit is there for."""
    expected = stats.chi2_contingency(np.array(counts), correction=False).pvalue

    assert measured("z_test", *counts) == pytest.approx(expected, rel=1e-9)
    assert measured("chi_square", *counts) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("rows", [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1), (1, 3000), (2, 2)])
def test_a_score_of_hardly_any_rows_is_a_number(name: str, rows: tuple[int, int]) -> None:
    """The first rows of a window come one by one, and no event can carry NaN."""
    if "numeric" in DETECTORS[name].kinds:
        reference, current = (np.arange(float(each)) for each in rows)
    else:
        reference, current = (np.array([float(each), 0.0]) for each in rows)

    score = DETECTORS[name].measure(reference, current)

    assert math.isfinite(score)
    assert score >= 0


def test_a_test_of_significance_speaks_louder_the_more_rows_there_are_and_a_distance_does_not() -> None:
    """The reason why large samples are judged by distances."""
    small, large = ([30.0, 70.0], [45.0, 55.0]), ([3000.0, 7000.0], [4500.0, 5500.0])

    for name in ("z_test", "chi_square"):
        assert measured(name, *large) < measured(name, *small) / 1000
    for name in ("jensen_shannon", "psi"):
        assert measured(name, *large) == pytest.approx(measured(name, *small))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
@settings(max_examples=40)
def test_the_distance_of_two_samples_is_scipys(reference: list[float], current: list[float]) -> None:
    """Of different sizes, with ties, and in standard deviations of the reference where it has any."""
    spread = float(np.std(reference)) or 1.0
    expected = stats.wasserstein_distance(reference, current) / spread

    assert measured("wasserstein", reference, current) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_bins_begin_where_exact_sorting_ends() -> None:
    """On both sides of the limit the distance is the same within a bin, and at the limit it is exact."""
    half = EXACT // 2
    random = np.random.default_rng(3)
    reference, current = random.normal(0, 1, half), random.normal(0.5, 2, half)
    more = np.append(current, current[0])

    exact = stats.wasserstein_distance(reference, current) / reference.std()
    beyond = stats.wasserstein_distance(reference, more) / reference.std()
    width = (max(reference.max(), more.max()) - min(reference.min(), more.min())) / BINS / reference.std()

    assert DETECTORS["wasserstein"].measure(reference, current) == pytest.approx(exact, rel=1e-12)
    assert DETECTORS["wasserstein"].measure(reference, more) == pytest.approx(beyond, abs=width)


@pytest.mark.parametrize(("reference", "current", "score"), [(5.0, 5.0, 0.0), (0.0, 1.0, 1.0), (1.0, 0.0, 1.0)])
def test_many_equal_values_are_binned(reference: float, current: float, score: float) -> None:
    """A column that never changes has no range; one that moved as a whole lies at both ends of it."""
    rows = EXACT + 2

    found = DETECTORS["wasserstein"].measure(np.full(rows, reference), np.full(rows, current))

    assert found == pytest.approx(score, abs=2 / BINS)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([1, 3], [0.25, 0.75]), ([0, 0], [0, 0]), ([5], [1]), ([0, 2], [0, 1]), ([1, 1, 1, 1], [0.25] * 4)],
)
def test_shares_are_counts_by_their_sum(counts: list[float], expected: list[float]) -> None:
    """And nothing where there is nothing."""
    assert shares(np.array(counts, dtype=float)).tolist() == expected


@pytest.mark.parametrize(
    ("kind", "rows", "categories", "name"),
    [
        ("numeric", 1, 0, "ks"),
        ("numeric", SMALL, 0, "ks"),
        ("numeric", SMALL + 1, 0, "wasserstein"),
        ("categorical", 1, 1, "z_test"),
        ("categorical", SMALL, 2, "z_test"),
        ("categorical", SMALL, 3, "chi_square"),
        ("categorical", SMALL + 1, 1, "jensen_shannon"),
        ("categorical", SMALL + 1, 300, "jensen_shannon"),
    ],
)
def test_the_usual_detector_changes_where_it_says(kind: str, rows: int, categories: int, name: str) -> None:
    """At a thousand rows, and at two categories."""
    assert usual(kind, rows, categories).name == name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "limit", "kinds", "p_value"),
    [
        ("ks", 0.05, ["numeric"], True),
        ("chi_square", 0.05, ["categorical"], True),
        ("z_test", 0.05, ["categorical"], True),
        ("wasserstein", 0.1, ["numeric"], False),
        ("jensen_shannon", 0.1, ["categorical"], False),
        ("psi", 0.25, ["categorical"], False),
    ],
)
def test_the_usual_limits_are_those_of_the_field(name: str, limit: float, kinds: list[str], p_value: bool) -> None:
    """Declarations of today count on them: another limit would be another alarm."""
    info = DETECTORS[name]

    assert (info.limit, sorted(info.kinds), info.p_value) == (limit, kinds, p_value)
    assert info.drifted(limit, limit) is not p_value
