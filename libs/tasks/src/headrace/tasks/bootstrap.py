"""Metrics on rows, and the paired bootstrap that says whether one model is really better than another on the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from headrace.tasks.metrics import METRICS
from headrace.tasks.metrics.base import Values, Vector, Weights

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
    candidate: Values,
    champion: Values,
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Compared:
    """The paired percentile bootstrap (Efron and Tibshirani 1993, ch. 13): both models see the same resamples."""
    sign = 1 if METRICS[metric].greater_is_better else -1
    ours, theirs = METRICS[metric].prepare(truth, candidate), METRICS[metric].prepare(truth, champion)
    drawn = [sign * (ours(weights) - theirs(weights)) for weights in _resamples(len(truth), resamples, seed)]
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(np.concatenate(drawn), [tail, 1 - tail])
    a, b = value(metric, truth, candidate), value(metric, truth, champion)
    return Compared(metric, a, b, sign * (a - b), float(low), float(high), confidence, resamples)


def value(metric: str, truth: Vector, score: Values) -> float:
    """A metric on all rows; NaN where it has none."""
    return float(METRICS[metric].prepare(truth, score)(np.ones((1, len(truth))))[0])


def measured(names: Sequence[str], truth: Vector, score: Values) -> dict[str, float]:
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
