"""Metrics of the labels that are answered: of two labels at a probability of one half, else the likeliest one."""

from collections.abc import Callable

import numpy as np

from headrace.tasks.metrics.base import (
    LABEL,
    LABELS,
    PROBABILITIES,
    PROBABILITY,
    Metric,
    Prepare,
    Score,
    Values,
    Vector,
    Weighted,
    Weights,
    classes,
    decided,
    mean_of,
    one_hot,
    ratio,
)

_TWO, _MANY = PROBABILITY | LABEL, PROBABILITIES | LABELS


def _of_the_positive(formula: Callable[[Vector, Vector, Vector], Vector]) -> Prepare:
    """A metric of the counts of hits, false alarms and misses of the positive label; 0 where undefined."""

    def prepare(truth: Vector, score: Score) -> Weighted:
        yes, right = decided(score.values) == 1, np.asarray(truth) == 1
        masks = [m.astype(np.float64) for m in (yes & right, yes & ~right, ~yes & right)]
        return lambda weights: formula(*(weights @ mask for mask in masks))

    return prepare


def _over_classes(formula: Callable[[Values, Values, Values], Values]) -> Prepare:
    """The mean over classes of a metric of hits, false alarms and misses; classes where it is NaN are left out."""

    def prepare(truth: Vector, score: Score) -> Weighted:
        count = classes(truth, score.values)
        said, true = one_hot(decided(score.values), count), one_hot(truth, count)
        hits = said * true

        def weighted(weights: Weights) -> Vector:
            right = weights @ hits
            found = formula(right, weights @ said - right, weights @ true - right)
            there = np.isfinite(found)
            return ratio(np.where(there, found, 0.0).sum(axis=1), there.sum(axis=1))

        return weighted

    return prepare


OF_LABELS = (
    Metric("accuracy", _TWO | _MANY, True, "share of right labels",
           prepare=mean_of(lambda truth, score: decided(score.values) == truth)),
    Metric("balanced_accuracy", _TWO | _MANY, True, "mean over labels of the share of their rows that were found",
           prepare=_over_classes(lambda tp, fp, fn: ratio(tp, tp + fn))),
    Metric("f1", _TWO, True, "harmonic mean of precision and recall",
           prepare=_of_the_positive(lambda tp, fp, fn: ratio(2 * tp, 2 * tp + fp + fn, 0.0))),
    Metric("f1_macro", _MANY, True, "mean over labels of the harmonic mean of precision and recall",
           prepare=_over_classes(lambda tp, fp, fn: ratio(2 * tp, 2 * tp + fp + fn))),
    Metric("precision", _TWO, True, "share of the positives found that are positive",
           prepare=_of_the_positive(lambda tp, fp, fn: ratio(tp, tp + fp, 0.0))),
    Metric("recall", _TWO, True, "share of the positives that were found",
           prepare=_of_the_positive(lambda tp, fp, fn: ratio(tp, tp + fn, 0.0))),
)  # fmt: skip
