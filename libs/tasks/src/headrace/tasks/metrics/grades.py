"""Metrics of the order in which a score puts the rows of a group, such as the documents that answer a query.

Each group has a figure of its own, and counts once in their mean, however many rows it has. Rows of equal score are in
no order: a figure is what a random order of them would give on the average.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from headrace.tasks.metrics.base import RANKS, Metric, Prepare, Score, Vector, Weighted, Weights, ratio
from headrace.tasks.score import APART

Judge = Callable[[Vector, Vector, Vector], Vector]
"""From grades, scores and groups, in [rows], to a figure for each group; NaN where it has none."""


@dataclass(frozen=True)
class _Order:
    """The rows of each group by falling score; groups are numbered from 0 on without gaps."""

    order: Vector
    group: Vector
    place: Vector
    """From 0 on within the group."""
    ties: Vector
    """Numbers of the runs of equal scores within a group."""

    @classmethod
    def of(cls, scores: Vector, group: Vector) -> "_Order":
        order = np.lexsort((-scores, group))
        groups, ranked = group[order], scores[order]
        first = np.r_[True, groups[1:] != groups[:-1]]
        begins = np.flatnonzero(first)
        place = np.arange(len(order)) - np.repeat(begins, np.diff(np.r_[begins, len(order)]))
        ties = np.cumsum(first | np.r_[True, ranked[1:] != ranked[:-1]]) - 1
        return cls(order, groups, place, ties)

    def over_ties(self, values: Vector) -> Vector:
        """The mean of what stands at the places of the rows that have the same score, in their order."""
        return np.asarray((np.bincount(self.ties, values) / np.bincount(self.ties))[self.ties])

    def summed(self, values: Vector) -> Vector:
        """The sum in each group."""
        return np.bincount(self.group, values)


def _for_each(judge: Judge) -> Prepare:
    """The mean over the groups; those without a figure are left out. Where no row has a group all are one."""

    def prepare(truth: Vector, score: Score) -> Weighted:
        groups = np.zeros(len(score.values), dtype=np.int64) if score.groups is None else score.groups
        rows = np.flatnonzero(groups != APART)
        _, first, group = np.unique(groups[rows], return_index=True, return_inverse=True)
        found = (
            judge(np.asarray(truth, dtype=np.float64)[rows], score.values[rows], group) if len(rows) else np.zeros(0)
        )
        there = np.isfinite(found)
        figures, speaker = found[there], rows[first[there]]  # all rows of a group are drawn as often as its first one

        def weighted(weights: Weights) -> Vector:
            drawn = weights[:, speaker]
            return ratio(drawn @ figures, drawn.sum(axis=1))

        return weighted

    return prepare


def _ndcg(most: int | None = None) -> Judge:
    """Discounted cumulative gain over the greatest possible one (Järvelin and Kekäläinen 2002), of the first `most`.

    A grade gains 2^grade - 1 (Burges et al. 2005); ties as McSherry and Najork (2008). No gain at all is no figure.
    """

    def judge(truth: Vector, scores: Vector, group: Vector) -> Vector:
        gains = np.exp2(truth) - 1
        return ratio(_gained(gains, scores, group, most), _gained(gains, gains, group, most))

    return judge


def _gained(gains: Vector, scores: Vector, group: Vector, most: int | None) -> Vector:
    ranked = _Order.of(scores, group)
    seen = True if most is None else ranked.place < most
    discount = ranked.over_ties(seen / np.log2(ranked.place + 2.0))
    return ranked.summed(gains[ranked.order] * discount)


def _average_precision(truth: Vector, scores: Vector, group: Vector) -> Vector:
    """The mean, over the rows of a grade above 0, of the share of such rows down to and with their score."""
    ranked = _Order.of(scores, group)
    good = (truth[ranked.order] > 0).astype(np.float64)
    last = np.flatnonzero(np.r_[ranked.ties[1:] != ranked.ties[:-1], True])  # of each run of equal scores
    above = np.cumsum(good) - np.r_[0.0, np.cumsum(ranked.summed(good))][ranked.group]
    share = (above[last] / (ranked.place[last] + 1))[ranked.ties]
    return ratio(ranked.summed(good * share), ranked.summed(good))


OF_RANKS = (
    Metric("ndcg", RANKS, True, "normalized discounted cumulative gain of each group, their mean",
           prepare=_for_each(_ndcg())),
    Metric("ndcg_at_5", RANKS, True, "the same of the first five rows of each group", prepare=_for_each(_ndcg(5))),
    Metric("ndcg_at_10", RANKS, True, "the same of the first ten rows of each group", prepare=_for_each(_ndcg(10))),
    Metric("map", RANKS, True, "average precision of each group, a grade above 0 being right; their mean",
           prepare=_for_each(_average_precision)),
)  # fmt: skip
