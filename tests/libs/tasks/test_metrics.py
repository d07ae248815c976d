"""Metrics equal scikit-learn's, and the bootstrap tells luck from skill."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as reference

from headrace.tasks import APART, INSTALLED, METRICS, TASKS, Score, compare, group_codes, measured, value, whole_groups
from headrace.tasks.bootstrap import _resamples

RNG = np.random.default_rng(11)
TRUTH = (RNG.random(3000) < 0.3).astype(float)
GOOD = np.clip(np.round(TRUTH * 0.3 + RNG.random(3000) * 0.7, 2), 0, 1)  # rounded: many ties
WORSE = np.clip(TRUTH * 0.1 + RNG.random(3000) * 0.9, 0, 1)
SPECIES = RNG.integers(0, 4, 3000).astype(float)
_RAW = np.round(RNG.dirichlet([0.5] * 4, 3000) + 0.8 * (SPECIES[:, None] == np.arange(4)), 1) + 0.05
SHARES = _RAW / _RAW.sum(axis=1, keepdims=True)  # many ties
SAID = SHARES.argmax(axis=1)
AMOUNT = 1e6 + RNG.normal(0, 5, 3000)
GUESS = AMOUNT + RNG.normal(0, 2, 3000)
LEVELS = (0.1, 0.4, 0.55, 0.9)
BANDS = np.sort(GUESS[:, None] + RNG.normal([-3, -0.5, 0.5, 3], 0.3, (3000, 4)), axis=1)
INSIDE = (BANDS[:, 0] <= AMOUNT) & (BANDS[:, 3] >= AMOUNT)

THEIRS = {
    "roc_auc": lambda w: reference.roc_auc_score(TRUTH, GOOD, sample_weight=w),
    "average_precision": lambda w: reference.average_precision_score(TRUTH, GOOD, sample_weight=w),
    "brier": lambda w: reference.brier_score_loss(TRUTH, GOOD, sample_weight=w),
    "log_loss": lambda w: reference.log_loss(TRUTH, np.clip(GOOD, 1e-15, 1 - 1e-15), sample_weight=w),
    "accuracy": lambda w: reference.accuracy_score(TRUTH, GOOD > 0.5, sample_weight=w),
    "balanced_accuracy": lambda w: reference.balanced_accuracy_score(TRUTH, GOOD > 0.5, sample_weight=w),
    "f1": lambda w: reference.f1_score(TRUTH, GOOD > 0.5, sample_weight=w),
    "precision": lambda w: reference.precision_score(TRUTH, GOOD > 0.5, sample_weight=w),
    "recall": lambda w: reference.recall_score(TRUTH, GOOD > 0.5, sample_weight=w),
    "rmse": lambda w: reference.root_mean_squared_error(AMOUNT, GUESS, sample_weight=w),
    "mae": lambda w: reference.mean_absolute_error(AMOUNT, GUESS, sample_weight=w),
    "r2": lambda w: reference.r2_score(AMOUNT, GUESS, sample_weight=w),
    "smape": lambda w: np.average(2 * abs(GUESS - AMOUNT) / (abs(AMOUNT) + abs(GUESS)), weights=w),
}
NAIVE_ERROR = np.where(np.arange(3000) < 40, np.nan, np.where(np.arange(3000) < 80, 0, RNG.uniform(1, 9, 3000)))
MOVES = NAIVE_ERROR > 0
THEIRS_OF_FORECASTS = {
    **{name: THEIRS[name] for name in ("rmse", "mae", "r2", "smape")},
    "mase": lambda w: reference.mean_absolute_error(
        AMOUNT[MOVES] / NAIVE_ERROR[MOVES], GUESS[MOVES] / NAIVE_ERROR[MOVES], sample_weight=w[MOVES]
    ),
}
THEIRS_OF_MANY = {
    "roc_auc_ovr": lambda w: reference.roc_auc_score(SPECIES, SHARES, sample_weight=w, multi_class="ovr"),
    "brier": lambda w: reference.brier_score_loss(SPECIES, SHARES, sample_weight=w, scale_by_half=True),
    "log_loss": lambda w: reference.log_loss(SPECIES, SHARES, sample_weight=w),
    "accuracy": lambda w: reference.accuracy_score(SPECIES, SAID, sample_weight=w),
    "balanced_accuracy": lambda w: reference.balanced_accuracy_score(SPECIES, SAID, sample_weight=w),
    "f1_macro": lambda w: reference.f1_score(SPECIES, SAID, sample_weight=w, average="macro"),
}
THEIRS_OF_QUANTILES = {
    "pinball": lambda w: np.mean(
        [
            reference.mean_pinball_loss(AMOUNT, BANDS[:, at], sample_weight=w, alpha=level)
            for at, level in enumerate(LEVELS)
        ]
    ),
    "coverage": lambda w: np.average(INSIDE, weights=w),
    "coverage_error": lambda w: abs(np.average(INSIDE, weights=w) - 0.8),
    "interval_width": lambda w: reference.mean_absolute_error(BANDS[:, 0], BANDS[:, 3], sample_weight=w),
    "rmse": lambda w: reference.root_mean_squared_error(AMOUNT, BANDS[:, 2], sample_weight=w),
    "mae": lambda w: reference.mean_absolute_error(AMOUNT, BANDS[:, 2], sample_weight=w),
    "r2": lambda w: reference.r2_score(AMOUNT, BANDS[:, 2], sample_weight=w),
    "smape": lambda w: np.average(2 * abs(BANDS[:, 2] - AMOUNT) / (abs(AMOUNT) + abs(BANDS[:, 2])), weights=w),
}
QUERY = np.repeat(np.arange(300), 10)[RNG.permutation(3000)]
GRADE = np.where(QUERY < 9, 0, RNG.integers(0, 5, 3000)).astype(float)  # some queries have nothing to find
HEIGHT = np.round(GRADE + RNG.normal(0, 2, 3000), 1)  # rounded: ties


def _of_each_query(figure: Callable[[np.ndarray, np.ndarray], float]) -> Callable[[np.ndarray], float]:
    """The mean of a figure over the queries that have something to find, each with the weight of its rows."""

    def mean(weights: np.ndarray) -> float:
        rows = [query == QUERY for query in range(9, 300)]
        return float(
            np.average([figure(GRADE[of], HEIGHT[of]) for of in rows], weights=[weights[of][0] for of in rows])
        )

    return mean


def _ndcg(most: int | None) -> Callable[[np.ndarray], float]:
    return _of_each_query(lambda grade, height: reference.ndcg_score([2**grade - 1], [height], k=most))


THEIRS_OF_RANKS = {
    "ndcg": _ndcg(None),
    "ndcg_at_5": _ndcg(5),
    "ndcg_at_10": _ndcg(10),
    "map": _of_each_query(lambda grade, height: reference.average_precision_score(grade > 0, height)),
}
PROBABLE, LESS_PROBABLE = Score("probability", GOOD), Score("probability", WORSE)
ROWS = {
    "binary": (TRUTH, PROBABLE, THEIRS),
    "multiclass": (SPECIES, Score("probabilities", SHARES), THEIRS_OF_MANY),
    "regression": (AMOUNT, Score("prediction", GUESS), THEIRS),
    "quantiles": (AMOUNT, Score("quantiles", BANDS, levels=LEVELS), THEIRS_OF_QUANTILES),
    "ranking": (GRADE, Score("score", HEIGHT, QUERY), THEIRS_OF_RANKS),
    "forecasting": (AMOUNT, Score("forecast", GUESS, scale=NAIVE_ERROR), THEIRS_OF_FORECASTS),
}
CASES = [(task, name) for task in TASKS for name in INSTALLED.metrics_of(task)]


def pair(name: str) -> tuple[np.ndarray, Score]:
    """Truth and score for a metric."""
    truth, score, _ = ROWS[INSTALLED.tasks_with(name)[0]]
    return truth, score


def test_every_metric_is_of_a_task_and_is_compared_with_scikit_learns() -> None:
    """A metric that no task allows could never be declared, and one without an oracle would go untested."""
    assert {name for _, name in CASES} == set(METRICS)
    assert {name for _, _, theirs in ROWS.values() for name in theirs} == set(METRICS)


@pytest.mark.parametrize(("task", "name"), CASES)
def test_a_metric_equals_scikit_learns(task: str, name: str) -> None:
    """On all rows, and on resamples, where some rows count twice and others not at all."""
    weights = np.random.default_rng(2).integers(0, 3, (2, 3000)).astype(float)

    truth, score, theirs = ROWS[task]
    weights = weights if score.groups is None else weights[:, score.groups]  # drawn as wholes

    values = METRICS[name].prepare(truth, score)(weights)

    assert value(name, truth, score) == pytest.approx(theirs[name](np.ones(3000)), rel=1e-9)
    assert values == pytest.approx([theirs[name](w) for w in weights], rel=1e-9)


@pytest.mark.parametrize("name", METRICS)
def test_a_model_does_not_beat_itself(name: str) -> None:
    """The difference is zero in every resample."""
    truth, score = pair(name)

    found = compare(name, truth, score, score, confidence=0.95, resamples=30, seed=1)

    assert (found.difference, found.low, found.high) == (0, 0, 0)


@pytest.mark.parametrize("name", ["roc_auc", "brier", "log_loss", "average_precision"])
def test_a_better_candidate_is_better_whichever_way_the_metric_points(name: str) -> None:
    """Positive means that the candidate is better, also where less is better; and swapping swaps the sign."""
    better = compare(name, TRUTH, PROBABLE, LESS_PROBABLE, confidence=0.95, resamples=200, seed=1)
    worse = compare(name, TRUTH, LESS_PROBABLE, PROBABLE, confidence=0.95, resamples=200, seed=1)

    assert 0 < better.low < better.difference < better.high
    assert worse.difference == pytest.approx(-better.difference)
    assert worse.low == pytest.approx(-better.high)


def test_luck_is_told_from_skill() -> None:
    """Two models that differ by noise alone: zero lies in the interval."""
    noisy = np.clip(GOOD + np.random.default_rng(4).normal(0, 0.01, 3000), 0, 1)

    found = compare("roc_auc", TRUTH, PROBABLE.saying(noisy), PROBABLE, confidence=0.95, resamples=300, seed=5)

    assert found.low < 0 < found.high


def test_the_seed_decides_the_interval() -> None:
    """The same question gets the same answer; chunks do not show."""
    ask = {"confidence": 0.9, "resamples": 50}
    first = compare("roc_auc", TRUTH, PROBABLE, LESS_PROBABLE, **ask, seed=5)

    assert first == compare("roc_auc", TRUTH, PROBABLE, LESS_PROBABLE, **ask, seed=5)
    assert first != compare("roc_auc", TRUTH, PROBABLE, LESS_PROBABLE, **ask, seed=6)


def test_the_interval_widens_with_confidence() -> None:
    """More sure means less exact."""
    narrow = compare("roc_auc", TRUTH, PROBABLE, LESS_PROBABLE, confidence=0.5, resamples=200, seed=5)
    wide = compare("roc_auc", TRUTH, PROBABLE, LESS_PROBABLE, confidence=0.99, resamples=200, seed=5)

    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_label_that_the_model_does_not_know_counts_as_answered_wrong() -> None:
    """As one more class of probability 0: nothing is left out, which would flatter."""
    truth = np.array([0.0, 1.0, 2.0, 2.0])
    score = Score("probabilities", np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.3, 0.7]]))

    assert value("accuracy", truth, score) == 0.5
    assert value("balanced_accuracy", truth, score) == pytest.approx(2 / 3)
    assert value("brier", truth, score) == pytest.approx((0.01 + 0.04 + 0.75 + 0.79) / 4)
    assert value("log_loss", truth, score) > 15


def test_labels_that_resamples_lack_are_left_out_of_means() -> None:
    """One row of a label: in some resamples it is not drawn, and the others still have a figure."""
    truth, score = np.array([0.0, 0.0, 1.0, 1.0, 2.0]), Score("probabilities", np.eye(3)[[0, 1, 1, 1, 2]])
    weights = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]], dtype=float)

    found = METRICS["balanced_accuracy"].prepare(truth, score)(weights)

    assert found == pytest.approx([(0.5 + 1) / 2, (0.5 + 1 + 1) / 3])


def test_labels_whose_probabilities_float32_cannot_tell_apart_are_a_tie() -> None:
    """The first label wins it, as in the answer itself."""
    score = Score("probabilities", np.array([[0.4999999, 0.5000001, 0.0], [0.4, 0.6, 0.0]]))

    assert value("accuracy", np.array([0.0, 1.0]), score) == 1.0


def test_a_metric_without_a_value_is_left_out() -> None:
    """A holdout of one class has no ROC, but it has a Brier score."""
    found = measured(["roc_auc", "brier"], np.zeros(10), Score("probability", np.full(10, 0.25)))

    assert found == {"brier": pytest.approx(0.0625)}


def test_an_interval_is_judged_by_how_near_its_coverage_is_to_what_it_promises() -> None:
    """Wider than promised is an error as narrower is, and the width shows what it costs."""
    truth = np.arange(10.0)
    names = ["coverage", "coverage_error", "interval_width"]

    def interval(half: float) -> dict[str, float]:
        middle = np.full(10, 4.5)
        score = Score("quantiles", np.column_stack([middle - half, middle, middle + half]), levels=(0.1, 0.5, 0.9))
        return measured(names, truth, score)

    assert interval(4.0) == pytest.approx({"coverage": 0.8, "coverage_error": 0.0, "interval_width": 8.0})
    assert interval(9.0) == pytest.approx({"coverage": 1.0, "coverage_error": 0.2, "interval_width": 18.0})
    assert interval(1.0) == pytest.approx({"coverage": 0.2, "coverage_error": 0.6, "interval_width": 2.0})


def test_an_error_of_nothing_is_none_and_one_of_the_other_sign_is_the_greatest() -> None:
    """Two zeros agree; the mean size of a number and its opposite is all that their distance can be twice of."""
    truth = np.array([0.0, 5.0, 0.0])

    assert value("smape", truth[:1], Score("prediction", np.zeros(1))) == 0.0
    assert value("smape", truth, Score("prediction", np.array([0.0, -5.0, 3.0]))) == pytest.approx(4 / 3)


def test_an_error_is_scaled_by_its_own_series() -> None:
    """A large series and a small one count alike; where no series moves, or no scale is known, there is no figure."""
    truth, said = np.array([100.0, 1.0]), np.array([110.0, 1.1])

    assert value("mase", truth, Score("forecast", said, scale=np.array([20.0, 0.2]))) == pytest.approx(0.5)
    assert value("mase", truth, Score("forecast", said, scale=np.array([20.0, np.nan]))) == pytest.approx(0.5)
    assert measured(["mase"], truth, Score("forecast", said, scale=np.zeros(2))) == {}
    assert measured(["mase"], truth, Score("forecast", said)) == {}


def test_some_rows_of_a_score_keep_their_scale_and_groups() -> None:
    """By the same mask."""
    score = Score("forecast", np.arange(3.0), np.array([4, 5, 4]), scale=np.array([1.0, 2.0, 3.0]))

    some = score.at(np.array([False, True, True]))

    assert (some.values.tolist(), some.scale.tolist()) == ([1.0, 2.0], [2.0, 3.0])  # type: ignore[union-attr]
    assert some.groups is not None
    assert (some.groups.tolist(), some.units) == ([5, 4], 2)


def test_rows_of_a_group_are_drawn_together_or_not_at_all() -> None:
    """Ten rows that say the same are one observation: the interval is as wide as that of one row each."""
    chance = np.random.default_rng(3)
    truth, said, other = (chance.normal(size=40) for _ in range(3))
    ask = {"confidence": 0.95, "resamples": 200, "seed": 1}

    def found(repeats: int, grouped: bool) -> float:
        groups = np.repeat(np.arange(40), repeats) if grouped else None
        mine, theirs = (Score("prediction", np.repeat(each, repeats), groups) for each in (said, other))
        compared = compare("mae", np.repeat(truth, repeats), mine, theirs, **ask)
        return compared.high - compared.low

    assert found(10, grouped=True) == pytest.approx(found(1, grouped=False))
    assert found(10, grouped=False) < found(10, grouped=True) / 2


def test_a_row_without_a_group_is_drawn_by_itself() -> None:
    """It is not one group with all the others that have none."""
    score = Score("prediction", np.arange(6.0), np.array([0, 0, APART, APART, 1, 1]))

    drawn = np.concatenate(list(_resamples(score, 50, 0)))

    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (drawn[:, 4] == drawn[:, 5]).all()
    assert (drawn[:, 2] != drawn[:, 3]).any()
    assert set(drawn[:, [0, 2, 3, 4]].sum(axis=1)) == {4.0}


def test_every_query_counts_once_however_many_rows_it_has() -> None:
    """Ten good rows of one query do not hide that another one is upside down."""
    truth = np.array([1.0] + [0.0] * 9 + [0.0, 1.0])
    score = Score("score", np.array([9.0, *range(9), 2.0, 1.0]), np.array([0] * 10 + [1, 1]))

    assert measured(["ndcg", "map"], truth, score) == pytest.approx({"ndcg": (1 + 1 / np.log2(3)) / 2, "map": 0.75})


def test_rows_without_a_query_and_queries_with_nothing_to_find_are_left_out() -> None:
    """They have no figure, and none is made up; where no query has one the metric has none."""
    truth, values = np.array([1.0, 0.0, 0.0, 0.0, 3.0]), np.array([2.0, 1.0, 5.0, 4.0, 0.0])

    assert value("map", truth, Score("score", values, np.array([0, 0, 1, 1, APART]))) == 1.0
    assert measured(["map"], truth, Score("score", values, np.full(5, APART))) == {}
    assert measured(["map"], np.zeros(5), Score("score", values, np.zeros(5, dtype=int))) == {}


def test_a_score_that_says_nothing_is_worth_a_random_order() -> None:
    """As the mean over many random orders has it: equal scores are in no order."""
    chance = np.random.default_rng(5)
    truth, queries = chance.integers(0, 3, 12).astype(float), np.repeat([0, 1], 6)
    orders = [Score("score", chance.permutation(12).astype(float), queries) for _ in range(4000)]

    for name in ("ndcg", "ndcg_at_5"):
        mean = np.mean([value(name, truth, order) for order in orders])
        assert value(name, truth, Score("score", np.zeros(12), queries)) == pytest.approx(mean, abs=0.01)


def test_groups_are_known_by_what_stands_in_a_column() -> None:
    """Whole numbers that became floating point beside a gap are the same groups; what is missing is in none."""
    assert group_codes(["b", "a", None, "b"]).tolist() == [0, 1, APART, 0]
    assert group_codes(np.array([2.0, np.nan, 1.0, 2.0])).tolist() == group_codes([2, None, 1, 2]).tolist()
    assert group_codes([[1], {"a": 1}, "x"]).tolist() == [APART, APART, 0]


def test_a_group_is_whole_or_left_out() -> None:
    """Of a group that is cut nothing is kept; a row without one stands for itself."""
    mask = np.array([True, True, True, False, True, False])

    assert whole_groups(mask, np.array([0, 0, 1, 1, APART, APART])).tolist() == [True, True, False, False, True, False]
    assert whole_groups(mask, None).tolist() == mask.tolist()
