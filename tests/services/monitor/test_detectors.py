"""Drift detectors: one suite over the mapping, so that a new one is tested before its author writes a test."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from headrace.contracts import DriftPolicy
from headrace.monitor.detectors import DETECTORS, usual
from headrace.monitor.detectors import wasserstein as w
from headrace.monitor.drift import column_drift, drift_of, kind_of, share

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
@settings(max_examples=60, deadline=None)
def test_a_shift_moves_the_wasserstein_distance_by_itself(values: list[float], by: float) -> None:
    """Moving every value by d moves the distance to |d|, in standard deviations of the reference."""
    reference = np.array(values)
    spread = reference.std() or 1.0

    found = DETECTORS["wasserstein"].measure(reference, reference + by)

    assert found * spread == pytest.approx(abs(by), rel=1e-6, abs=1e-4)


def frame(**columns: object) -> pd.DataFrame:
    """A small frame."""
    return pd.DataFrame(columns)


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


def test_gaps_are_left_out_and_columns_that_lack_are_not_judged() -> None:
    """A column of gaps alone has nothing to compare."""
    reference = frame(wind=np.arange(2000.0), gate=["A"] * 2000, gone=range(2000))
    current = frame(wind=[np.nan] * 2000, gate=["A"] * 1999 + [None])

    found = drift_of(reference, current, ["wind", "gate", "gone"], DriftPolicy())

    assert [(each.column, each.drifted) for each in found] == [("wind", False), ("gate", False)]


def test_a_new_category_is_drift() -> None:
    """Categories of both sides count."""
    reference, current = pd.Series(["UA"] * 2000), pd.Series(["UA"] * 1000 + ["ZZ"] * 1000)

    found = column_drift("carrier", reference, current, DriftPolicy())

    assert found.drifted
    assert found.method == "jensen_shannon"


def test_flags_that_json_turned_into_other_numbers_are_the_same() -> None:
    """1 and 1.0 are one category."""
    found = column_drift("weekend", pd.Series([0, 1] * 1000), pd.Series([0.0, 1.0] * 1000), DriftPolicy())

    assert found.score == 0


def test_a_declared_method_and_threshold_replace_the_usual() -> None:
    """Where it fits the column's kind."""
    policy = DriftPolicy(method="psi", threshold=0.01)
    reference, current = pd.Series(["a", "b"] * 1000), pd.Series(["a", "a", "b"] * 700)

    found = column_drift("gate", reference, current, policy)

    assert (found.method, found.limit, found.drifted) == ("psi", 0.01, True)
    assert column_drift("wind", pd.Series(np.arange(5.0)), pd.Series(np.arange(5.0)), policy).method == "ks"


def test_the_share_leaves_the_prediction_apart() -> None:
    """A model's output is shown, and does not count as a column."""
    reference = frame(wind=np.arange(2000.0), prediction=np.linspace(0, 1, 2000))
    current = frame(wind=np.arange(2000.0), prediction=np.linspace(5, 6, 2000))

    found = drift_of(reference, current, ["wind", "prediction"], DriftPolicy())

    assert [each.kind for each in found] == ["numeric", "prediction"]
    assert share(found) == 0
    assert share([]) is None
