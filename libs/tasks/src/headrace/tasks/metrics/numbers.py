"""Metrics of numbers."""

import numpy as np

from headrace.tasks.metrics.base import (
    FORECAST,
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

_ALL = NUMBER | QUANTILES | FORECAST
_NO_SPREAD = 1e-12  # of the sum of squares: what is left below it is rounding, and the truths drawn are all the same


def _missed(truth: Vector, score: Score) -> Vector:
    return np.asarray(middle(score) - truth)


def _r2(truth: Vector, score: Score) -> Weighted:
    """One minus the residual over the total sum of squares."""
    residual = (np.asarray(truth, dtype=np.float64) - middle(score)) ** 2
    actual = truth - np.mean(truth)  # centred: the difference of two large sums would lose its digits

    def weighted(weights: Weights) -> Vector:
        count = weights.sum(axis=1)
        squares = weights @ actual**2
        total = squares - (weights @ actual) ** 2 / count
        return 1 - ratio(weights @ residual, np.where(total > _NO_SPREAD * squares, total, 0.0))

    return weighted


def _relative(truth: Vector, score: Score) -> Vector:
    """The error as a share of the mean size of both; no error where both are 0."""
    size = (np.abs(truth) + np.abs(middle(score))) / 2
    return ratio(np.abs(_missed(truth, score)), size, otherwise=0.0)


def _mase(truth: Vector, score: Score) -> Weighted:
    """Each error by the scale of its series (Hyndman and Koehler 2006); a series that never moves has none."""
    scale = np.full(len(truth), np.nan) if score.scale is None else score.scale
    scaled = ratio(np.abs(_missed(truth, score)), np.where(np.isfinite(scale), scale, 0))
    known = np.isfinite(scaled)

    def weighted(weights: Weights) -> Vector:
        return ratio(weights[:, known] @ scaled[known], weights[:, known].sum(axis=1))

    return weighted


OF_NUMBERS = (
    Metric("rmse", _ALL, False, "root mean squared error, in the target's unit", high=None,
           prepare=mean_of(lambda truth, score: _missed(truth, score) ** 2, root=True)),
    Metric("mae", _ALL, False, "mean absolute error, in the target's unit", high=None,
           prepare=mean_of(lambda truth, score: np.abs(_missed(truth, score)))),
    Metric("smape", _ALL, False, "mean error as a share of the mean size of truth and answer", high=2.0,
           prepare=mean_of(_relative)),
    Metric("mase", FORECAST, False, "mean absolute error, by that of the naive forecast in the series' own history",
           high=None, prepare=_mase),
    Metric("r2", _ALL, True, "share of the variance explained", low=None, prepare=_r2),
)  # fmt: skip
