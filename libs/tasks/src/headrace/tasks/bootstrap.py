"""Metrics on rows, and the paired bootstrap that says whether one model is really better than another on the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from headrace.tasks.metrics import METRICS
from headrace.tasks.metrics.base import Vector, Weights
from headrace.tasks.score import APART, Score

_CHUNK = 2_000_000  # weights in memory at a time: 16 MB


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
    candidate: Score,
    champion: Score,
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Compared:
    """The paired percentile bootstrap (Efron and Tibshirani 1993, ch. 13): both models see the same resamples.

    Rows that belong together are drawn together (the cluster bootstrap, Field and Welsh 2007): as draws of single rows
    they would tell more than they do.
    """
    sign = 1 if METRICS[metric].greater_is_better else -1
    ours, theirs = METRICS[metric].prepare(truth, candidate), METRICS[metric].prepare(truth, champion)
    drawn = [sign * (ours(weights) - theirs(weights)) for weights in _resamples(candidate, resamples, seed)]
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(np.concatenate(drawn), [tail, 1 - tail])
    a, b = value(metric, truth, candidate), value(metric, truth, champion)
    return Compared(metric, a, b, sign * (a - b), float(low), float(high), confidence, resamples)


def value(metric: str, truth: Vector, score: Score) -> float:
    """A metric on all rows; NaN where it has none."""
    return float(METRICS[metric].prepare(truth, score)(np.ones((1, len(truth))))[0])


def measured(names: Sequence[str], truth: Vector, score: Score) -> dict[str, float]:
    """Several metrics on all rows; those that have no value on these rows are left out."""
    values = {name: value(name, truth, score) for name in names}
    return {name: found for name, found in values.items() if np.isfinite(found)}


def _resamples(score: Score, resamples: int, seed: int) -> Iterator[Weights]:
    """Draws with replacement as counts a row, in chunks that fit into memory; the same for the same seed."""
    random = np.random.default_rng(seed)
    unit = _units(score)
    units, step = int(unit.max(initial=-1)) + 1, max(1, _CHUNK // len(unit))
    for start in range(0, resamples, step):
        many = min(step, resamples - start)
        drawn = random.integers(0, units, size=(many, units)) + np.arange(many)[:, None] * units
        counts = np.bincount(drawn.ravel(), minlength=many * units).reshape(many, units).astype(np.float64)
        yield counts if score.groups is None else counts[:, unit]


def _units(score: Score) -> np.ndarray:
    """What each row is drawn with: itself, or its group; a row without a group is one by itself."""
    own = np.arange(len(score.values))
    if score.groups is None:
        return own
    _, found = np.unique(np.where(score.groups == APART, -1 - own, score.groups), return_inverse=True)
    return found
