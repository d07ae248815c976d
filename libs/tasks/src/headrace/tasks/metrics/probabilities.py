"""Metrics of the probabilities themselves."""

import numpy as np

from headrace.tasks.metrics.base import PROBABILITIES, PROBABILITY, Metric, Score, Vector, by_class, mean_of, one_hot

_SMALLEST = 1e-15  # probabilities are kept this far from 0 and 1 before a logarithm


def _brier(truth: Vector, score: Score) -> Vector:
    """Half the squared distance from the truth over all classes: of two labels the squared error of one of them."""
    if score.values.ndim == 1:
        return np.asarray((score.values - truth) ** 2)
    columns = by_class(truth, score.values)
    return np.asarray(((columns - one_hot(truth, columns.shape[1])) ** 2).sum(axis=1) / 2)


def _log_loss(truth: Vector, score: Score) -> Vector:
    if score.values.ndim == 1:
        sure = np.clip(score.values, _SMALLEST, 1 - _SMALLEST)
        return np.asarray(-np.where(truth == 1, np.log(sure), np.log1p(-sure)))
    said = by_class(truth, score.values)[np.arange(len(truth)), truth.astype(np.int64)]
    return np.asarray(-np.log(np.clip(said, _SMALLEST, 1.0)))


_BOTH = PROBABILITY | PROBABILITIES
OF_PROBABILITIES = (
    Metric("brier", _BOTH, False, "mean squared error of the probabilities, halved where there is one for each label",
           prepare=mean_of(_brier)),
    Metric("log_loss", _BOTH, False, "negative mean log-likelihood, nats", high=None, prepare=mean_of(_log_loss)),
)  # fmt: skip
