"""Metrics of numbers."""

import numpy as np

from headrace.tasks.metrics.base import NUMBER, Metric, Values, Vector, Weighted, Weights, mean_of, ratio


def _r2(truth: Vector, score: Values) -> Weighted:
    """One minus the residual over the total sum of squares."""
    residual = (np.asarray(truth, dtype=np.float64) - score) ** 2
    actual = truth - np.mean(truth)  # centred: the difference of two large sums would lose its digits

    def weighted(weights: Weights) -> Vector:
        count = weights.sum(axis=1)
        total = weights @ actual**2 - (weights @ actual) ** 2 / count
        return 1 - ratio(weights @ residual, total)

    return weighted


OF_NUMBERS = (
    Metric("rmse", NUMBER, False, "root mean squared error, in the target's unit", high=None,
           prepare=mean_of(lambda truth, score: (score - truth) ** 2, root=True)),
    Metric("mae", NUMBER, False, "mean absolute error, in the target's unit", high=None,
           prepare=mean_of(lambda truth, score: np.abs(score - truth))),
    Metric("r2", NUMBER, True, "share of the variance explained", low=None, prepare=_r2),
)  # fmt: skip
