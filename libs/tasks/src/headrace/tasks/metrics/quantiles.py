"""Metrics of quantiles, and of the interval between the lowest and the highest of them."""

import numpy as np

from headrace.tasks.metrics.base import QUANTILES, Metric, Score, Vector, Weighted, Weights, mean_of


def _pinball(truth: Vector, score: Score) -> Vector:
    """The mean over the quantiles of the pinball loss (Koenker and Bassett 1978)."""
    missed = np.asarray(truth)[:, None] - score.values
    levels = np.array(score.levels)
    return np.asarray(np.maximum(levels * missed, (levels - 1) * missed).mean(axis=1))


def _inside(truth: Vector, score: Score) -> Vector:
    """1 where the truth lies in the interval, its ends included."""
    return np.asarray((score.values[:, 0] <= truth) & (truth <= score.values[:, -1]), dtype=np.float64)


def _coverage_error(truth: Vector, score: Score) -> Weighted:
    share, nominal = mean_of(_inside)(truth, score), score.levels[-1] - score.levels[0]

    def weighted(weights: Weights) -> Vector:
        return np.asarray(np.abs(share(weights) - nominal))

    return weighted


def _width(truth: Vector, score: Score) -> Vector:
    return np.asarray(score.values[:, -1] - score.values[:, 0])


OF_QUANTILES = (
    Metric("pinball", QUANTILES, False, "mean pinball loss over the quantiles, in the target's unit", high=None,
           prepare=mean_of(_pinball)),
    Metric("coverage", QUANTILES, True, "share of truths inside the interval; a good one is near to what it promises",
           prepare=mean_of(_inside)),
    Metric("coverage_error", QUANTILES, False, "how far the share of truths inside the interval is from its promise",
           prepare=_coverage_error),
    Metric("interval_width", QUANTILES, False, "mean width of the interval, in the target's unit", high=None,
           prepare=mean_of(_width)),
)  # fmt: skip
