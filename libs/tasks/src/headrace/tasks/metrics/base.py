"""What a metric is: a name, a direction and a range, and a computation on any number of resamples at a time.

A metric is prepared once for (truth, score) and then answers for any number of resamples: a resample is a vector of
how often each row was drawn, so that sorting, the dear part, is done once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from headrace.contracts import MetricInfo
from headrace.tasks.score import Score

Vector = np.ndarray
"""One number a row."""

Values = np.ndarray
"""One number a row, or one number a row and class."""

Weights = np.ndarray
"""How often each row counts: (resamples, rows)."""

Weighted = Callable[[Weights], Vector]
"""From weights to one value a resample; NaN where a resample has no value (a single class has no ROC)."""

Prepare = Callable[[Vector, Score], Weighted]
"""From truth and score. Truth is a code or a number; score a probability, one for each class, or a number."""

PROBABILITY, LABEL = frozenset({"probability"}), frozenset({"label"})
PROBABILITIES, LABELS = frozenset({"probabilities"}), frozenset({"labels"})
NUMBER, QUANTILES, RANKS = frozenset({"prediction"}), frozenset({"quantiles"}), frozenset({"score"})
FORECAST = frozenset({"forecast"})
"""Kinds of score: of two labels the probability of the positive one, or 0 and 1; of more labels or quantiles one
column for each; of ranks a number by which rows are put in order."""

TIE = 2.0**-18  # probabilities of two labels that differ by less are equal: float32 sums cannot tell them apart


@dataclass(frozen=True)
class Metric(MetricInfo):
    """A metric with its computation."""

    prepare: Prepare = field(kw_only=True)


def ratio(above: Values, below: Values, otherwise: float = np.nan) -> Values:
    """A quotient; `otherwise` where nothing is below."""
    empty = np.full(np.shape(above), otherwise)
    return np.asarray(np.divide(above, below, out=empty, where=np.asarray(below) > 0))


def of_values(prepare: Callable[[Vector, Values], Weighted]) -> Prepare:
    """A metric of the values alone, whatever else the score knows."""
    return lambda truth, score: prepare(truth, score.values)


def mean_of(loss: Callable[[Vector, Score], Vector], *, root: bool = False) -> Prepare:
    """A metric that is a mean over rows (or its root)."""

    def prepare(truth: Vector, score: Score) -> Weighted:
        losses = np.asarray(loss(truth, score), dtype=np.float64)

        def weighted(weights: Weights) -> Vector:
            mean = np.asarray(weights @ losses / weights.sum(axis=1))
            return np.sqrt(mean) if root else mean

        return weighted

    return prepare


def middle(score: Score) -> Vector:
    """The number that was answered; of several quantiles the one nearest to the median."""
    return score.values if score.values.ndim == 1 else np.asarray(score.values[:, nearest(score.levels)])


def nearest(levels: Sequence[float], to: float = 0.5) -> int:
    """The place of the level nearest to another one; the lower of two that are equally near."""
    return int(np.argmin(np.round(np.abs(np.array(levels) - to), 9)))


def decided(score: Values) -> Vector:
    """The code of the answer: 1 above one half, or the first class of the greatest probability."""
    if score.ndim == 1:
        return (np.asarray(score) > 0.5).astype(np.int64)
    return np.asarray(np.argmax(score.max(axis=1, keepdims=True) - score < TIE, axis=1))


def classes(truth: Vector, score: Values) -> int:
    """How many classes truth and score tell of; those that only one of them has are classes all the same."""
    width = 2 if score.ndim == 1 else score.shape[1]
    return max(width, int(np.max(truth, initial=0)) + 1)


def one_hot(codes: Vector, count: int) -> Values:
    """1 in the column of the code and 0 in the others: [rows, count]."""
    return np.asarray(codes[:, None] == np.arange(count), dtype=np.float64)


def by_class(truth: Vector, score: Values) -> Values:
    """The probability of each class, 0 for those that the score lacks: [rows, classes]."""
    return np.pad(score, ((0, 0), (0, classes(truth, score) - score.shape[1])))
