"""Metrics, and the paired bootstrap that says whether one model is really better than another on the same rows.

Every metric is prepared once for (truth, score) and then answers for any number of resamples at a time: a resample
is a vector of how often each row was drawn, so that sorting, the dear part, is done once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headrace.contracts import METRICS as INFO

Vector = np.ndarray
"""One number a row."""

Weights = np.ndarray
"""How often each row counts: (resamples, rows)."""

Weighted = Callable[[Weights], Vector]
"""From weights to one value a resample; NaN where a resample has no value (a single class has no ROC)."""

_CHUNK = 2_000_000  # weights in memory at a time: 16 MB
_SMALLEST = 1e-15  # probabilities are kept this far from 0 and 1 before a logarithm


Prepare = Callable[[Vector, Vector], Weighted]
"""A metric of (truth, score): for classifiers truth is 0 or 1 and score the probability of 1."""


@dataclass(frozen=True)
class Compared:
    """Two models on the same rows; `difference` is positive where the candidate is better, within [low, high]."""

    metric: str
    candidate: float
    champion: float
    difference: float
    low: float
    high: float
    confidence: float
    resamples: int


def compare(
    metric: str,
    truth: Vector,
    candidate: Vector,
    champion: Vector,
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Compared:
    """The paired percentile bootstrap (Efron and Tibshirani 1993, ch. 13): both models see the same resamples."""
    sign = 1 if INFO[metric].greater_is_better else -1
    ours, theirs = METRICS[metric](truth, candidate), METRICS[metric](truth, champion)
    drawn = [sign * (ours(weights) - theirs(weights)) for weights in _resamples(len(truth), resamples, seed)]
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(np.concatenate(drawn), [tail, 1 - tail])
    a, b = value(metric, truth, candidate), value(metric, truth, champion)
    return Compared(metric, a, b, sign * (a - b), float(low), float(high), confidence, resamples)


def value(metric: str, truth: Vector, score: Vector) -> float:
    """A metric on all rows; NaN where it has none."""
    return float(METRICS[metric](truth, score)(np.ones((1, len(truth))))[0])


def measured(names: Sequence[str], truth: Vector, score: Vector) -> dict[str, float]:
    """Several metrics on all rows; those that have no value on these rows are left out."""
    values = {name: value(name, truth, score) for name in names}
    return {name: found for name, found in values.items() if np.isfinite(found)}


def _resamples(rows: int, resamples: int, seed: int) -> Iterator[Weights]:
    """Draws with replacement as counts a row, in chunks that fit into memory; the same for the same seed."""
    random = np.random.default_rng(seed)
    step = max(1, _CHUNK // rows)
    for start in range(0, resamples, step):
        many = min(step, resamples - start)
        drawn = random.integers(0, rows, size=(many, rows)) + np.arange(many)[:, None] * rows
        yield np.bincount(drawn.ravel(), minlength=many * rows).reshape(many, rows).astype(np.float64)


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


def _roc_auc(truth: Vector, score: Vector) -> Weighted:
    """The share of (positive, negative) pairs that are ranked rightly, ties counted as half (Mann and Whitney)."""
    ranked = _Ranked.of(truth, score)

    def weighted(weights: Weights) -> Vector:
        positives, negatives = ranked.groups(weights)
        below = np.cumsum(negatives, axis=1) - negatives / 2
        return _ratio((positives * below).sum(axis=1), positives.sum(axis=1) * negatives.sum(axis=1))

    return weighted


def _average_precision(truth: Vector, score: Vector) -> Weighted:
    """The mean precision at each recall step, without interpolation: sum of (R_n - R_n-1) P_n."""
    ranked = _Ranked.of(truth, -np.asarray(score))

    def weighted(weights: Weights) -> Vector:
        positives, negatives = ranked.groups(weights)
        hits, total = np.cumsum(positives, axis=1), np.cumsum(positives + negatives, axis=1)
        return _ratio((positives * _ratio(hits, total, 0.0)).sum(axis=1), hits[:, -1])

    return weighted


def _log_loss(truth: Vector, score: Vector) -> Vector:
    sure = np.clip(score, _SMALLEST, 1 - _SMALLEST)
    return np.asarray(-np.where(truth == 1, np.log(sure), np.log1p(-sure)))


def _mean(loss: Callable[[Vector, Vector], Vector], *, root: bool = False) -> Prepare:
    """A metric that is a mean over rows (or its root)."""

    def prepare(truth: Vector, score: Vector) -> Weighted:
        losses = np.asarray(loss(truth, score), dtype=np.float64)

        def weighted(weights: Weights) -> Vector:
            mean = np.asarray(weights @ losses / weights.sum(axis=1))
            return np.sqrt(mean) if root else mean

        return weighted

    return prepare


def _decided(formula: Callable[[Vector, Vector, Vector], Vector]) -> Prepare:
    """A metric of the counts of hits, false alarms and misses at a probability of one half; 0 where undefined."""

    def prepare(truth: Vector, score: Vector) -> Weighted:
        yes, right = np.asarray(score) > 0.5, np.asarray(truth) == 1
        masks = [m.astype(np.float64) for m in (yes & right, yes & ~right, ~yes & right)]
        return lambda weights: formula(*(weights @ mask for mask in masks))

    return prepare


def _r2(truth: Vector, score: Vector) -> Weighted:
    """One minus the residual over the total sum of squares."""
    residual = (np.asarray(truth, dtype=np.float64) - score) ** 2
    actual = truth - np.mean(truth)  # centred: the difference of two large sums would lose its digits

    def weighted(weights: Weights) -> Vector:
        count = weights.sum(axis=1)
        total = weights @ actual**2 - (weights @ actual) ** 2 / count
        return 1 - _ratio(weights @ residual, total)

    return weighted


def _ratio(above: Vector, below: Vector, otherwise: float = np.nan) -> Vector:
    empty = np.full(np.shape(above), otherwise)
    return np.asarray(np.divide(above, below, out=empty, where=np.asarray(below) > 0))


METRICS: Mapping[str, Prepare] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "brier": _mean(lambda truth, score: (score - truth) ** 2),
    "log_loss": _mean(_log_loss),
    "accuracy": _mean(lambda truth, score: (score > 0.5) == (truth == 1)),
    "f1": _decided(lambda tp, fp, fn: _ratio(2 * tp, 2 * tp + fp + fn, 0.0)),
    "precision": _decided(lambda tp, fp, fn: _ratio(tp, tp + fp, 0.0)),
    "recall": _decided(lambda tp, fp, fn: _ratio(tp, tp + fn, 0.0)),
    "rmse": _mean(lambda truth, score: (score - truth) ** 2, root=True),
    "mae": _mean(lambda truth, score: np.abs(score - truth)),
    "r2": _r2,
}
"""The metrics a declaration may name; contracts tell what each is for, and which way is better."""
