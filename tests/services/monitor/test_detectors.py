"""Drift detectors: one suite over the mapping, so that a new one is tested before its author writes a test."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from headrace.contracts import ANSWER_COLUMN, ColumnDrift, DetectorPolicy, DriftPolicy, NotJudged
from headrace.detectors import DETECTORS, usual
from headrace.detectors import wasserstein as w
from headrace.monitor.drift import FEATURE, PREDICTION, Pair, column_drift, drift_of, kind_of, pairs_of, share
from headrace.testkit.examples import examples

RNG = np.random.default_rng(7)
SAMPLES = {"numeric": RNG.normal(0, 1, 3000), "categorical": np.array([600.0, 300.0, 100.0])}
MOVED = {"numeric": RNG.normal(2, 1, 3000), "categorical": np.array([100.0, 300.0, 600.0])}
CASES = [(name, kind) for name, detector in DETECTORS.items() for kind in sorted(detector.kinds)]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_equal_data_have_not_drifted(name: str, kind: str) -> None:
    """A detector is silent when nothing changed."""
    detector = DETECTORS[name]

    assert not detector.drifted(detector.measure(SAMPLES[kind], SAMPLES[kind]), detector.limit)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_moved_data_have_drifted(name: str, kind: str) -> None:
    """A detector speaks when much changed."""
    detector = DETECTORS[name]

    assert detector.drifted(detector.measure(SAMPLES[kind], MOVED[kind]), detector.limit)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_score_is_a_finite_number_that_is_not_negative(name: str, kind: str) -> None:
    """Whatever the data: it goes into events and gauges."""
    edges = {"numeric": np.array([5.0]), "categorical": np.array([0.0, 0.0, 3.0])}

    for sample in (SAMPLES[kind], MOVED[kind], edges[kind]):
        score = DETECTORS[name].measure(SAMPLES[kind], sample)
        assert np.isfinite(score)
        assert score >= 0


@pytest.mark.parametrize("size", [500, 15_000, 60_000])
def test_the_wasserstein_distance_is_scipys_within_half_a_bin(size: int) -> None:
    """Exact for small samples; for big ones within the stated error of the bins."""
    rng = np.random.default_rng(size)
    reference, current = rng.gamma(2, 3, size), rng.gamma(2.3, 3, size)
    exact = stats.wasserstein_distance(reference, current) / reference.std()
    spread = max(reference.max(), current.max()) - min(reference.min(), current.min())

    found = DETECTORS["wasserstein"].measure(reference, current)

    assert found == pytest.approx(exact, abs=spread / w.BINS / reference.std() + 1e-12)


def test_the_jensen_shannon_distance_is_scipys() -> None:
    """To base 2, so that disjoint shares are 1 apart."""
    from scipy.spatial.distance import jensenshannon

    p, q = SAMPLES["categorical"], MOVED["categorical"]

    assert DETECTORS["jensen_shannon"].measure(p, q) == pytest.approx(jensenshannon(p, q, base=2))
    assert DETECTORS["jensen_shannon"].measure(np.array([1.0, 0]), np.array([0, 1.0])) == pytest.approx(1)


def test_the_ks_p_value_is_scipys() -> None:
    """The field's own implementation, and no other."""
    expected = stats.ks_2samp(SAMPLES["numeric"], MOVED["numeric"], method="asymp").pvalue

    assert DETECTORS["ks"].measure(SAMPLES["numeric"], MOVED["numeric"]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kind", "rows", "categories", "name"),
    [
        ("numeric", 1000, 50, "ks"),
        ("numeric", 1001, 50, "wasserstein"),
        ("categorical", 1000, 2, "z_test"),
        ("categorical", 1000, 3, "chi_square"),
        ("categorical", 1001, 2, "jensen_shannon"),
    ],
)
def test_the_usual_detector_goes_by_kind_and_size(kind: str, rows: int, categories: int, name: str) -> None:
    """Tests of significance find any trifle in many rows; distances do not."""
    assert usual(kind, rows, categories).name == name  # type: ignore[arg-type]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60), st.floats(-1e5, 1e5))
@settings(max_examples=examples(60))
def test_a_shift_moves_the_wasserstein_distance_by_itself(values: list[float], by: float) -> None:
    """Moving every value by d moves the distance to |d|, in standard deviations of the reference."""
    reference = np.array(values)
    spread = reference.std() or 1.0

    found = DETECTORS["wasserstein"].measure(reference, reference + by)

    assert found * spread == pytest.approx(abs(by), rel=1e-6, abs=1e-4)


def frame(**columns: object) -> pd.DataFrame:
    """A small frame."""
    return pd.DataFrame(columns)


def drifted(
    reference: pd.Series, current: pd.Series, policy: DriftPolicy | None = None, minimum: int = 1
) -> ColumnDrift | NotJudged:
    """Drift of one column."""
    return column_drift(Pair("column", FEATURE, reference, current), policy or DriftPolicy(), minimum)


def test_columns_are_measured_by_what_they_hold() -> None:
    """Numbers are numeric; words, truth values and 0/1 flags are categories."""
    kinds = {
        "numeric": pd.Series([1.5, 2.5]),
        "categorical": pd.Series(["a", "b"]),
    }
    assert {name: kind_of(column) for name, column in kinds.items()} == {name: name for name in kinds}
    assert kind_of(pd.Series([True, False])) == "categorical"
    assert kind_of(pd.Series([0, 1, 1])) == "categorical"
    assert kind_of(pd.Series([0, 1, 2])) == "numeric"


def test_a_column_with_too_few_values_is_listed_and_not_judged() -> None:
    """Gaps are no values; a column that one side lacks is not compared. The others are judged."""
    reference = frame(wind=np.arange(2000.0), gate=["A"] * 2000, gone=range(2000), few=[1.0] * 20 + [np.nan] * 1980)
    current = frame(wind=[np.nan] * 2000, gate=["A"] * 1999 + [None], few=[1.0] * 2000)
    pairs = pairs_of(reference, current, ["wind", "gate", "gone", "few"], FEATURE)

    found, not_judged = drift_of(pairs, DriftPolicy(), 200)

    assert [(each.column, each.drifted) for each in found] == [("gate", False)]
    assert [(each.column, each.rows, each.needed) for each in not_judged] == [("wind", 0, 200), ("few", 20, 30)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_column_that_cannot_be_measured_keeps_no_other_from_it() -> None:
    """Objects among words are counted by what they look like; a distance that is not finite is none."""
    wide, hour = [-1.7e308, 1.7e308] * 250, np.arange(500.0)
    reference = frame(gate=["A"] * 500, wide=wide, hour=hour)
    current = frame(gate=[["A"], {"b": 1}] * 250, wide=wide, hour=hour)
    policy = DriftPolicy(numeric=DetectorPolicy(method="wasserstein"))

    found, not_judged = drift_of(pairs_of(reference, current, list(reference), FEATURE), policy, 200)

    assert [(each.column, each.drifted) for each in found] == [("gate", True), ("hour", False)]
    assert [(each.column, "not finite" in each.reason) for each in not_judged] == [("wide", True)]


def test_a_new_category_is_drift() -> None:
    """Categories of both sides count."""
    found = drifted(pd.Series(["UA"] * 2000), pd.Series(["UA"] * 1000 + ["ZZ"] * 1000))

    assert isinstance(found, ColumnDrift)
    assert (found.drifted, found.method) == (True, "jensen_shannon")


def test_flags_that_json_turned_into_other_numbers_are_the_same() -> None:
    """1 and 1.0 are one category."""
    found = drifted(pd.Series([0, 1] * 1000), pd.Series([0.0, 1.0] * 1000))

    assert isinstance(found, ColumnDrift)
    assert found.score == 0


WORDS = (pd.Series(["a", "b"] * 1000), pd.Series(["a", "a", "b"] * 700))
NUMBERS = (pd.Series(np.linspace(0, 1, 1500)), pd.Series(np.linspace(0, 1.1, 1500)))


def test_a_declared_method_and_its_limit_replace_the_usual() -> None:
    """For every column that it fits; for another kind the declaration names another one."""
    policy = DriftPolicy(method="psi", threshold=0.01)

    found = drifted(*WORDS, policy)

    assert isinstance(found, ColumnDrift)
    assert (found.method, found.limit, found.drifted) == ("psi", 0.01, True)


def test_each_kind_has_its_own_method_with_its_own_limit() -> None:
    """The limit of a distance is never used for a p-value."""
    policy = DriftPolicy(
        numeric=DetectorPolicy(method="ks", limit=0.001), categorical=DetectorPolicy(method="jensen_shannon", limit=0.3)
    )

    numeric, categorical = drifted(*NUMBERS, policy), drifted(*WORDS, policy)

    assert isinstance(numeric, ColumnDrift)
    assert isinstance(categorical, ColumnDrift)
    assert (numeric.method, numeric.limit) == ("ks", 0.001)
    assert (categorical.method, categorical.limit) == ("jensen_shannon", 0.3)


def test_a_limit_without_its_method_limits_nothing_else() -> None:
    """One threshold cannot be that of p-values and distances: without a method the usual limits hold."""
    found = drifted(*NUMBERS, DriftPolicy(threshold=0.5))

    assert isinstance(found, ColumnDrift)
    assert (found.method, found.limit) == ("wasserstein", 0.1)


def test_a_method_that_does_not_fit_is_not_silently_another() -> None:
    """A declaration from before the check names psi for numbers: the column is listed, with those that fit."""
    found = drifted(*NUMBERS, DriftPolicy(method="psi"))

    assert isinstance(found, NotJudged)
    assert "ks, wasserstein" in found.reason


def test_the_share_is_of_the_features_alone() -> None:
    """The model's answers and context columns are shown, and count as no feature."""
    reference = frame(wind=np.arange(2000.0), answers=np.linspace(0, 1, 2000))
    current = frame(wind=np.arange(2000.0), answers=np.linspace(5, 6, 2000))
    answers = Pair(ANSWER_COLUMN, PREDICTION, reference["answers"], current["answers"])

    found, _ = drift_of([*pairs_of(reference, current, ["wind"], FEATURE), answers], DriftPolicy(), 200)

    assert [(each.role, each.drifted) for each in found] == [("feature", False), ("prediction", True)]
    assert share(found) == 0
    assert share([]) is None
