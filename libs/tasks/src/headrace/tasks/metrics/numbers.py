"""Metrics of numbers."""

import numpy as np

from headrace.tasks.metrics.base import (
    NUMBER,
    QUANTILES,
    Metric,
    Score,
    Vector,
    Weighted,
    Weights,
    mean_of,
    middle,
    ratio,
)

_BOTH = NUMBER | QUANTILES


def _missed(truth: Vector, score: Score) -> Vector:
    return np.asarray(middle(score) - truth)


def _r2(truth: Vector, score: Score) -> Weighted:
    """One minus the residual over the total sum of squares."""
    residual = (np.asarray(truth, dtype=np.float64) - middle(score)) ** 2
    actual = truth - np.mean(truth)  # centred: the difference of two large sums would lose its digits

    def weighted(weights: Weights) -> Vector:
        count = weights.sum(axis=1)
        total = weights @ actual**2 - (weights @ actual) ** 2 / count
        return 1 - ratio(weights @ residual, total)

    return weighted


OF_NUMBERS = (
    Metric("rmse", _BOTH, False, "root mean squared error, in the target's unit", high=None,
           prepare=mean_of(lambda truth, score: _missed(truth, score) ** 2, root=True)),
    Metric("mae", _BOTH, False, "mean absolute error, in the target's unit", high=None,
           prepare=mean_of(lambda truth, score: np.abs(_missed(truth, score)))),
    Metric("r2", _BOTH, True, "share of the variance explained", low=None, prepare=_r2),
)  # fmt: skip
