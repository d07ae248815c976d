"""Metrics of the order that probabilities give the rows."""

from dataclasses import dataclass

import numpy as np

from headrace.tasks.metrics.base import (
    PROBABILITIES,
    PROBABILITY,
    Metric,
    Values,
    Vector,
    Weighted,
    Weights,
    by_class,
    of_values,
    ratio,
)


@dataclass(frozen=True)
class _Ranked:
    """Rows in groups of equal score, ascending: positives and negatives a group for any weights."""

    order: Vector
    starts: Vector
    positive: Vector

    @classmethod
    def of(cls, truth: Vector, score: Vector) -> "_Ranked":
        order = np.argsort(score, kind="stable")
        ranked = score[order]
        starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        return cls(order, starts, truth[order].astype(np.float64))

    def groups(self, weights: Weights) -> tuple[Weights, Weights]:
        drawn = weights[:, self.order]
        positives = np.add.reduceat(drawn * self.positive, self.starts, axis=1)
        return positives, np.add.reduceat(drawn, self.starts, axis=1) - positives


def _roc_auc(truth: Vector, score: Values) -> Weighted:
    """The share of (positive, negative) pairs that are ranked rightly, ties counted as half (Mann and Whitney)."""
    ranked = _Ranked.of(truth, score)

    def weighted(weights: Weights) -> Vector:
        positives, negatives = ranked.groups(weights)
        below = np.cumsum(negatives, axis=1) - negatives / 2
        return ratio((positives * below).sum(axis=1), positives.sum(axis=1) * negatives.sum(axis=1))

    return weighted


def _average_precision(truth: Vector, score: Values) -> Weighted:
    """The mean precision at each recall step, without interpolation: sum of (R_n - R_n-1) P_n."""
    ranked = _Ranked.of(truth, -np.asarray(score))

    def weighted(weights: Weights) -> Vector:
        positives, negatives = ranked.groups(weights)
        hits, total = np.cumsum(positives, axis=1), np.cumsum(positives + negatives, axis=1)
        return ratio((positives * ratio(hits, total, 0.0)).sum(axis=1), hits[:, -1])

    return weighted


def _roc_auc_ovr(truth: Vector, score: Values) -> Weighted:
    """The mean over classes of the ROC AUC of one class against all others; classes without rows are left out."""
    each = [_roc_auc(truth == place, column) for place, column in enumerate(by_class(truth, score).T)]

    def weighted(weights: Weights) -> Vector:
        found = np.stack([one(weights) for one in each])
        there = np.isfinite(found)
        return ratio(np.where(there, found, 0.0).sum(axis=0), there.sum(axis=0))

    return weighted


RANKING = (
    Metric("roc_auc", PROBABILITY, True, "area under the ROC curve", prepare=of_values(_roc_auc)),
    Metric("average_precision", PROBABILITY, True, "area under precision over recall, in steps",
           prepare=of_values(_average_precision)),
    Metric("roc_auc_ovr", PROBABILITIES, True, "area under the ROC curve of each label against all others, their mean",
           prepare=of_values(_roc_auc_ovr)),
)  # fmt: skip
