"""Metrics equal scikit-learn's, and the bootstrap tells luck from skill."""

import numpy as np
import pytest
from sklearn import metrics as reference

from headrace.tasks import INSTALLED, METRICS, TASKS, compare, measured, value

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
}
THEIRS_OF_MANY = {
    "roc_auc_ovr": lambda w: reference.roc_auc_score(SPECIES, SHARES, sample_weight=w, multi_class="ovr"),
    "brier": lambda w: reference.brier_score_loss(SPECIES, SHARES, sample_weight=w, scale_by_half=True),
    "log_loss": lambda w: reference.log_loss(SPECIES, SHARES, sample_weight=w),
    "accuracy": lambda w: reference.accuracy_score(SPECIES, SAID, sample_weight=w),
    "balanced_accuracy": lambda w: reference.balanced_accuracy_score(SPECIES, SAID, sample_weight=w),
    "f1_macro": lambda w: reference.f1_score(SPECIES, SAID, sample_weight=w, average="macro"),
}
ROWS = {
    "binary": (TRUTH, GOOD, THEIRS),
    "multiclass": (SPECIES, SHARES, THEIRS_OF_MANY),
    "regression": (AMOUNT, GUESS, THEIRS),
}
CASES = [(task, name) for task in TASKS for name in INSTALLED.metrics_of(task)]


def pair(name: str) -> tuple[np.ndarray, np.ndarray]:
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
    better = compare(name, TRUTH, GOOD, WORSE, confidence=0.95, resamples=200, seed=1)
    worse = compare(name, TRUTH, WORSE, GOOD, confidence=0.95, resamples=200, seed=1)

    assert 0 < better.low < better.difference < better.high
    assert worse.difference == pytest.approx(-better.difference)
    assert worse.low == pytest.approx(-better.high)


def test_luck_is_told_from_skill() -> None:
    """Two models that differ by noise alone: zero lies in the interval."""
    noisy = np.clip(GOOD + np.random.default_rng(4).normal(0, 0.01, 3000), 0, 1)

    found = compare("roc_auc", TRUTH, noisy, GOOD, confidence=0.95, resamples=300, seed=5)

    assert found.low < 0 < found.high


def test_the_seed_decides_the_interval() -> None:
    """The same question gets the same answer; chunks do not show."""
    ask = {"confidence": 0.9, "resamples": 50}
    first = compare("roc_auc", TRUTH, GOOD, WORSE, **ask, seed=5)

    assert first == compare("roc_auc", TRUTH, GOOD, WORSE, **ask, seed=5)
    assert first != compare("roc_auc", TRUTH, GOOD, WORSE, **ask, seed=6)


def test_the_interval_widens_with_confidence() -> None:
    """More sure means less exact."""
    narrow = compare("roc_auc", TRUTH, GOOD, WORSE, confidence=0.5, resamples=200, seed=5)
    wide = compare("roc_auc", TRUTH, GOOD, WORSE, confidence=0.99, resamples=200, seed=5)

    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_label_that_the_model_does_not_know_counts_as_answered_wrong() -> None:
    """As one more class of probability 0: nothing is left out, which would flatter."""
    truth, score = np.array([0.0, 1.0, 2.0, 2.0]), np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.3, 0.7]])

    assert value("accuracy", truth, score) == 0.5
    assert value("balanced_accuracy", truth, score) == pytest.approx(2 / 3)
    assert value("brier", truth, score) == pytest.approx((0.01 + 0.04 + 0.75 + 0.79) / 4)
    assert value("log_loss", truth, score) > 15


def test_labels_that_resamples_lack_are_left_out_of_means() -> None:
    """One row of a label: in some resamples it is not drawn, and the others still have a figure."""
    truth, score = np.array([0.0, 0.0, 1.0, 1.0, 2.0]), np.eye(3)[[0, 1, 1, 1, 2]]
    weights = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]], dtype=float)

    found = METRICS["balanced_accuracy"].prepare(truth, score)(weights)

    assert found == pytest.approx([(0.5 + 1) / 2, (0.5 + 1 + 1) / 3])


def test_labels_whose_probabilities_float32_cannot_tell_apart_are_a_tie() -> None:
    """The first label wins it, as in the answer itself."""
    score = np.array([[0.4999999, 0.5000001, 0.0], [0.4, 0.6, 0.0]])

    assert value("accuracy", np.array([0.0, 1.0]), score) == 1.0


def test_a_metric_without_a_value_is_left_out() -> None:
    """A holdout of one class has no ROC, but it has a Brier score."""
    found = measured(["roc_auc", "brier"], np.zeros(10), np.full(10, 0.25))

    assert found == {"brier": pytest.approx(0.0625)}
