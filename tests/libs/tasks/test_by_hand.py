"""Metrics by values that are worked out by hand, at the edges where a library's answer is a matter of taste."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.tasks import APART, METRICS, NUMPY, Score, compare, group_codes, measured, value, whole_groups
from headrace.tasks.labels import FOREIGN, codes, datatype, label_array, text

LN2 = math.log(2)


def score(kind: str, values: Any, **more: Any) -> Score:
    """Answers of a kind."""
    return Score(kind, np.array(values, dtype=float), **more)


def probabilities(*rows: list[float]) -> Score:
    """One probability for each label."""
    return score("probabilities", rows)


@pytest.mark.parametrize(
    ("metric", "truth", "said", "figure"),
    [
        ("roc_auc", [0, 1], [0.2, 0.8], 1),
        ("roc_auc", [1, 0], [0.2, 0.8], 0),
        ("roc_auc", [0, 1], [0.5, 0.5], 0.5),
        ("roc_auc", [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.75),
        ("roc_auc", [0, 1, 1], [0.5, 0.5, 0.9], 0.75),
        ("roc_auc", [1, 1], [0.1, 0.9], None),
        ("roc_auc", [0, 0], [0.1, 0.9], None),
        ("average_precision", [0, 1], [0.2, 0.8], 1),
        ("average_precision", [1, 0], [0.2, 0.8], 0.5),
        ("average_precision", [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 5 / 6),
        ("average_precision", [0, 1, 0, 1], [0.5] * 4, 0.5),
        ("average_precision", [0, 0], [0.1, 0.9], None),
        ("average_precision", [1, 1], [0.1, 0.9], 1),
        ("brier", [0, 1], [0, 1], 0),
        ("brier", [0, 1], [1, 0], 1),
        ("brier", [1], [0.3], 0.49),
        ("brier", [0, 1], [0.5, 0.5], 0.25),
        ("log_loss", [0, 1], [0.5, 0.5], LN2),
        ("log_loss", [1], [0.25], 2 * LN2),
        ("log_loss", [0], [0.75], 2 * LN2),
        ("log_loss", [1], [1], 1e-15),
        ("log_loss", [1], [0], 15 * math.log(10)),
        ("accuracy", [0, 1, 1, 0], [0.4, 0.6, 0.4, 0.6], 0.5),
        ("accuracy", [1], [0.5], 0),
        ("accuracy", [0], [0.5], 1),
        ("balanced_accuracy", [0, 0, 0, 1], [0.1, 0.1, 0.9, 0.9], (2 / 3 + 1) / 2),
        ("balanced_accuracy", [0, 0, 0, 1], [0.1, 0.1, 0.1, 0.1], 0.5),
        ("f1", [1, 1, 0, 0], [0.9, 0.1, 0.9, 0.1], 0.5),
        ("f1", [1, 1, 1, 0], [0.9, 0.9, 0.1, 0.1], 0.8),
        ("f1", [0, 0], [0.1, 0.1], 0),
        ("precision", [1, 1, 0, 0], [0.9, 0.1, 0.9, 0.9], 1 / 3),
        ("precision", [1, 0], [0.1, 0.1], 0),
        ("recall", [1, 1, 1, 0], [0.9, 0.1, 0.1, 0.9], 1 / 3),
        ("recall", [0, 0], [0.9, 0.1], 0),
    ],
)
def test_a_metric_of_two_labels(metric: str, truth: list[float], said: list[float], figure: float | None) -> None:
    """Where a figure has no meaning there is none; a share of nothing found or to be found is 0."""
    found = measured([metric], np.array(truth, dtype=float), score("probability", said)).get(metric)

    assert found == (figure if figure is None else pytest.approx(figure, rel=1e-9, abs=2e-15))


@pytest.mark.parametrize(
    ("metric", "truth", "said", "figure"),
    [
        ("accuracy", [0, 1, 2], [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]], 2 / 3),
        ("balanced_accuracy", [0, 0, 1], [[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]], 0.75),
        ("f1_macro", [0, 0, 1], [[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]], 2 / 3),
        ("f1_macro", [0, 1, 2], [[1, 0, 0], [0, 1, 0], [0, 1, 0]], (1 + 2 / 3 + 0) / 3),
        ("brier", [0], [[1, 0, 0]], 0),
        ("brier", [0], [[0, 1, 0]], 1),
        ("brier", [0], [[0.5, 0.5, 0]], 0.25),
        ("brier", [2], [[0.5, 0.5, 0]], 0.75),
        ("log_loss", [0, 1], [[0.5, 0.5], [0.75, 0.25]], 1.5 * LN2),
        ("log_loss", [1], [[1, 0]], 15 * math.log(10)),
        ("roc_auc_ovr", [0, 1, 2], [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], 1),
        ("roc_auc_ovr", [0, 1, 2], [[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]], 0.5),
        ("roc_auc_ovr", [0, 0], [[0.8, 0.2], [0.2, 0.8]], None),
    ],
)
def test_a_metric_of_many_labels(
    metric: str, truth: list[float], said: list[list[float]], figure: float | None
) -> None:
    """Each label weighs the same in a mean over labels."""
    found = measured([metric], np.array(truth, dtype=float), probabilities(*said)).get(metric)

    assert found == (figure if figure is None else pytest.approx(figure, rel=1e-9, abs=2e-15))


@pytest.mark.parametrize(
    ("metric", "truth", "said", "figure"),
    [
        ("rmse", [1, 2], [1, 2], 0),
        ("rmse", [0, 0], [3, 4], math.sqrt(12.5)),
        ("mae", [0, 0], [3, -4], 3.5),
        ("mae", [5], [2], 3),
        ("r2", [1, 2, 3], [1, 2, 3], 1),
        ("r2", [1, 2, 3], [2, 2, 2], 0),
        ("r2", [1, 2, 3], [3, 2, 1], -3),
        ("r2", [4, 4], [4, 4], None),
        ("r2", [1e9, 1e9 + 2], [1e9, 1e9 + 1], 0.5),
        ("smape", [1], [3], 1),
        ("smape", [0], [0], 0),
        ("smape", [0], [5], 2),
        ("smape", [2, 1], [2, 3], 0.5),
    ],
)
def test_a_metric_of_numbers(metric: str, truth: list[float], said: list[float], figure: float | None) -> None:
    """Of truths that never differ there is nothing to explain."""
    found = measured([metric], np.array(truth, dtype=float), score("prediction", said)).get(metric)

    assert found == (figure if figure is None else pytest.approx(figure, rel=1e-9, abs=1e-15))


@pytest.mark.parametrize(
    ("metric", "truth", "said", "figure"),
    [
        ("pinball", [0], [[0, 0, 0]], 0),
        ("pinball", [10], [[0, 0, 0]], (1 + 5 + 9) / 3),
        ("pinball", [-10], [[0, 0, 0]], (9 + 5 + 1) / 3),
        ("pinball", [1], [[0, 1, 3]], (0.1 + 0 + 0.2) / 3),
        ("coverage", [0, 1, 2, 3], [[1, 1, 2]] * 4, 0.5),
        ("coverage", [1, 2], [[1, 1, 2]] * 2, 1),
        ("coverage_error", [0, 1, 2, 3], [[1, 1, 2]] * 4, 0.3),
        ("coverage_error", [1, 2], [[1, 1, 2]] * 2, 0.2),
        ("interval_width", [0, 0], [[1, 1, 2], [-1, 0, 4]], 3),
        ("mae", [0, 0], [[-9, 1, 9], [-9, -3, 9]], 2),
        ("rmse", [0, 0], [[-9, 3, 9], [-9, -4, 9]], math.sqrt(12.5)),
    ],
)
def test_a_metric_of_quantiles(metric: str, truth: list[float], said: list[list[float]], figure: float) -> None:
    """Of the tenth, the middle and the ninetieth: the ends of the interval lie in it, the middle is the answer."""
    answers = score("quantiles", said, levels=(0.1, 0.5, 0.9))

    assert value(metric, np.array(truth, dtype=float), answers) == pytest.approx(figure, abs=1e-12)


GAIN = [1.0, 1 / math.log2(3), 0.5]  # of the first three places


@pytest.mark.parametrize(
    ("metric", "grades", "heights", "figure"),
    [
        ("ndcg", [2, 1, 0], [3, 2, 1], 1),
        ("ndcg", [0, 1, 2], [3, 2, 1], (GAIN[1] + 3 * GAIN[2]) / (3 + GAIN[1])),
        ("ndcg", [1, 0, 0], [1, 2, 3], GAIN[2]),
        ("ndcg", [1, 0], [5, 5], (GAIN[0] + GAIN[1]) / 2),
        ("ndcg", [0, 0, 0], [3, 2, 1], None),
        ("ndcg_at_5", [0, 0, 0, 0, 0, 1], [6, 5, 4, 3, 2, 1], 0),
        ("ndcg_at_5", [0, 0, 0, 0, 1, 0], [6, 5, 4, 3, 2, 1], 1 / math.log2(6)),
        ("ndcg_at_10", [0, 0, 0, 0, 0, 1], [6, 5, 4, 3, 2, 1], 1 / math.log2(7)),
        ("map", [1, 0, 1], [3, 2, 1], (1 + 2 / 3) / 2),
        ("map", [0, 0, 1], [3, 2, 1], 1 / 3),
        ("map", [2, 0, 1], [3, 2, 1], (1 + 2 / 3) / 2),
        ("map", [1, 0], [5, 5], 0.5),
        ("map", [0, 0], [2, 1], None),
    ],
)
def test_a_metric_of_an_order(metric: str, grades: list[float], heights: list[float], figure: float | None) -> None:
    """Of one query: a grade gains 2^grade - 1, and equal heights share their places."""
    found = measured([metric], np.array(grades, dtype=float), score("score", heights)).get(metric)

    assert found == (figure if figure is None else pytest.approx(figure))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=25))
@settings(max_examples=40)
def test_the_area_under_the_curve_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[bool, float]]) -> None:
    """Counted pair by pair, a tie as half of one."""
    pairs = [1.0 if yes > no else 0.5 if yes == no else 0.0 for t, yes in rows if t for other, no in rows if not other]
    truth, said = np.array([float(each) for each, _ in rows]), score("probability", [each for _, each in rows])

    found = measured(["roc_auc"], truth, said).get("roc_auc")

    assert found == (pytest.approx(sum(pairs) / len(pairs)) if pairs else None)


@pytest.mark.parametrize("metric", ["brier", "log_loss", "accuracy", "f1", "recall", "roc_auc", "average_precision"])
def test_a_row_that_is_drawn_twice_is_two_rows(metric: str) -> None:
    """And one that is not drawn is none: weights are counts."""
    truth, said = np.array([0.0, 1.0, 1.0, 0.0]), score("probability", [0.2, 0.7, 0.4, 0.6])
    drawn = np.array([[2.0, 1.0, 3.0, 0.0]])
    rows = np.repeat(np.arange(4), drawn[0].astype(int))

    (found,) = METRICS[metric].prepare(truth, said)(drawn)

    assert found == pytest.approx(value(metric, truth[rows], score("probability", said.values[rows])))


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2", "smape"])
def test_a_number_that_is_drawn_twice_is_two_numbers(metric: str) -> None:
    """The same of numbers."""
    truth, said = np.array([1.0, 5.0, 2.0, 9.0]), score("prediction", [2.0, 4.0, 2.5, 7.0])
    drawn = np.array([[2.0, 1.0, 0.0, 3.0]])
    rows = np.repeat(np.arange(4), drawn[0].astype(int))

    (found,) = METRICS[metric].prepare(truth, said)(drawn)

    assert found == pytest.approx(value(metric, truth[rows], score("prediction", said.values[rows])))


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95])
def test_the_interval_is_that_share_of_the_resamples(confidence: float) -> None:
    """Two models whose difference is the same on every row but one: resamples draw it so often as luck has it."""
    truth = np.zeros(10)
    one, other = score("prediction", [0.0] * 10), score("prediction", [1.0] + [0.0] * 9)

    found = compare("mae", truth, one, other, confidence=confidence, resamples=4000, seed=1)
    drawn = np.random.default_rng(2).binomial(10, 0.1, 200_000) / 10
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])

    assert (found.difference, found.candidate, found.champion) == (pytest.approx(0.1), 0.0, pytest.approx(0.1))
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))
    assert (found.metric, found.confidence, found.resamples) == ("mae", confidence, 4000)


@pytest.mark.parametrize(
    ("labels", "kind", "texts"),
    [
        ([False, True], "BOOL", ["false", "true"]),
        ([1, 2], "INT64", ["1", "2"]),
        ([0.5, 1.0], "FP64", ["0.5", "1.0"]),
        (["a", "b"], "BYTES", ["a", "b"]),
    ],
)
def test_labels_keep_their_type(labels: list[Any], kind: str, texts: list[str]) -> None:
    """In tensors, arrays and categories."""
    assert datatype(labels) == kind
    assert label_array(labels).tolist() == labels
    assert [text(each) for each in labels] == texts
    assert codes([*labels, *labels[::-1]], labels).tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("values", "labels", "expected"),
    [
        (["a", "c", None, "b"], ["a", "b"], [0, FOREIGN, FOREIGN, 1]),
        ([], ["a"], []),
        ([2, 1, 3], [1, 2], [1, 0, FOREIGN]),
        (np.array([2.0, 1.0, np.nan]), [1, 2], [1, 0, FOREIGN]),
        (["1", 1], [1, 2], [FOREIGN, 0]),
    ],
)
def test_what_is_no_label_has_no_code(values: Any, labels: list[Any], expected: list[int]) -> None:
    """It is told apart from every label, and stops no other value."""
    assert codes(values, labels).tolist() == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        (["x"], [0]),
        ([3, 1, 3, 2], [0, 1, 0, 2]),
        ([None, None], [APART, APART]),
        ([float("nan"), "a"], [APART, 0]),
        ([True, "True", True], [0, 1, 0]),
    ],
)
def test_groups_are_numbered_by_their_first_rows(values: list[Any], expected: list[int]) -> None:
    """What is missing is in no group."""
    assert group_codes(values).tolist() == expected


@given(st.lists(st.tuples(st.booleans(), st.integers(-1, 4)), max_size=20))
@settings(max_examples=40)
def test_no_group_is_cut(rows: list[tuple[bool, int]]) -> None:
    """Each is kept or left as a whole, and only where all of it was wanted."""
    mask, groups = np.array([each for each, _ in rows], dtype=bool), np.array([each for _, each in rows], dtype=int)

    kept = whole_groups(mask, groups)

    for at, (wanted, group) in enumerate(rows):
        whole = all(each for each, other in rows if other == group) if group != APART else wanted
        assert bool(kept[at]) is whole


@pytest.mark.parametrize(
    ("values", "groups", "known", "units"),
    [
        ([1.0, math.nan, math.inf], None, [True, False, False], 3),
        ([[1.0, 2.0], [1.0, math.nan]], None, [True, False], 2),
        ([1.0, 2.0, 3.0], [0, APART, 0], [True, False, True], 1),
        ([1.0, math.nan, 3.0], [0, 1, 2], [True, False, True], 3),
        ([1.0, 2.0], [APART, APART], [False, False], 0),
    ],
)
def test_an_answer_is_known_where_it_is_finite_and_its_group_is(
    values: Any, groups: list[int] | None, known: list[bool], units: int
) -> None:
    """What is drawn are groups where rows are judged together."""
    found = score("score", values, groups=None if groups is None else np.array(groups))

    assert (found.known.tolist(), found.units) == (known, units)


def test_the_operations_on_arrays() -> None:
    """What a task writes its answer in, one by one."""
    matrix = np.array([[0.2, 0.5, 0.3], [0.9, 0.1, 0.4]])

    assert NUMPY.column(matrix, 1).tolist() == [0.5, 0.1]
    assert NUMPY.greatest(matrix).tolist() == [[0.5], [0.9]]
    assert NUMPY.ascending(matrix, 3).tolist() == [[0.2, 0.3, 0.5], [0.1, 0.4, 0.9]]
    assert NUMPY.minus(matrix, NUMPY.greatest(matrix)).max(axis=1).tolist() == [0, 0]
    assert NUMPY.magnitude(np.array([-2.0, 3.0])).tolist() == [2, 3]
    assert NUMPY.less(matrix, NUMPY.number(0.3)).tolist() == [[True, False, False], [False, True, False]]
    assert NUMPY.where(matrix < 0.3, NUMPY.number(1), matrix)[0].tolist() == [1, 0.5, 0.3]
    assert NUMPY.whole(matrix < 0.3).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert NUMPY.whole(matrix < 0.3).dtype == np.int64
    assert NUMPY.first(matrix < 0.15).tolist() == [0, 1]
    assert NUMPY.double(np.float32([0.5])).dtype == np.float64
    assert NUMPY.pick(np.array([1, 0, 1]), ["no", "yes"]).tolist() == ["yes", "no", "yes"]


@pytest.mark.parametrize("constant", [0.0, 0.1, 4.0, -0.7, 1e6 / 3, 1e-9, 123456.789])
@pytest.mark.parametrize("rows", [1, 2, 3, 7, 10, 1000])
def test_of_truths_that_are_all_the_same_nothing_is_explained(constant: float, rows: int) -> None:
    """There is no figure, also where their mean is not quite their value: three tenths by three are more than one."""
    truth = np.full(rows, constant)

    assert measured(["r2"], truth, score("prediction", truth + 1)) == {}
    assert measured(["r2"], truth, score("prediction", truth)) == {}


def test_a_resample_that_drew_one_value_alone_explains_nothing() -> None:
    """Rounding would make it any number, and the interval with it; the others are what they are."""
    truth = np.array([0.1, 0.7, 0.3])
    drawn = np.array([[3.0, 0, 0], [0, 3, 0], [0, 0, 3], [0, 1, 0], [1, 1, 1]])

    found = METRICS["r2"].prepare(truth, score("prediction", [0.2, 0.5, 0.3]))(drawn)

    assert np.isnan(found[:4]).all()
    assert found[4] == pytest.approx(1 - 0.05 / (0.59 - 1.21 / 3))
