"""Metrics equal scikit-learn's, and the bootstrap tells luck from skill."""

import numpy as np
import pytest
from sklearn import metrics as reference

from headrace.contracts import METRICS as INFO
from headrace.frameworks.metrics import METRICS, compare, measured, value

RNG = np.random.default_rng(11)
TRUTH = (RNG.random(3000) < 0.3).astype(float)
GOOD = np.clip(np.round(TRUTH * 0.3 + RNG.random(3000) * 0.7, 2), 0, 1)  # rounded: many ties
WORSE = np.clip(TRUTH * 0.1 + RNG.random(3000) * 0.9, 0, 1)
AMOUNT = 1e6 + RNG.normal(0, 5, 3000)
GUESS = AMOUNT + RNG.normal(0, 2, 3000)

THEIRS = {
    "roc_auc": lambda w: reference.roc_auc_score(TRUTH, GOOD, sample_weight=w),
    "average_precision": lambda w: reference.average_precision_score(TRUTH, GOOD, sample_weight=w),
    "brier": lambda w: reference.brier_score_loss(TRUTH, GOOD, sample_weight=w),
    "log_loss": lambda w: reference.log_loss(TRUTH, np.clip(GOOD, 1e-15, 1 - 1e-15), sample_weight=w),
    "accuracy": lambda w: reference.accuracy_score(TRUTH, GOOD > 0.5, sample_weight=w),
    "f1": lambda w: reference.f1_score(TRUTH, GOOD > 0.5, sample_weight=w),
    "precision": lambda w: reference.precision_score(TRUTH, GOOD > 0.5, sample_weight=w),
    "recall": lambda w: reference.recall_score(TRUTH, GOOD > 0.5, sample_weight=w),
    "rmse": lambda w: reference.root_mean_squared_error(AMOUNT, GUESS, sample_weight=w),
    "mae": lambda w: reference.mean_absolute_error(AMOUNT, GUESS, sample_weight=w),
    "r2": lambda w: reference.r2_score(AMOUNT, GUESS, sample_weight=w),
}


def pair(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Truth and score for a metric."""
    return (TRUTH, GOOD) if INFO[name].task == "classification" else (AMOUNT, GUESS)


def test_every_declared_metric_is_computed() -> None:
    """What contracts let a declaration name, and what is computed, are the same."""
    assert METRICS.keys() == INFO.keys()


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_equals_scikit_learns(name: str) -> None:
    """On all rows, and on resamples, where some rows count twice and others not at all."""
    weights = np.random.default_rng(2).integers(0, 3, (2, 3000)).astype(float)

    values = METRICS[name](*pair(name))(weights)

    assert value(name, *pair(name)) == pytest.approx(THEIRS[name](np.ones(3000)), rel=1e-9)
    assert values == pytest.approx([THEIRS[name](w) for w in weights], rel=1e-9)


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


def test_a_metric_without_a_value_is_left_out() -> None:
    """A holdout of one class has no ROC, but it has a Brier score."""
    found = measured(["roc_auc", "brier"], np.zeros(10), np.full(10, 0.25))

    assert found == {"brier": pytest.approx(0.0625)}
