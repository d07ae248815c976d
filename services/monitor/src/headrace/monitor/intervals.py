"""How sure the figures are: intervals of rates, and of the greatest difference and smallest ratio among many rates."""

from dataclasses import dataclass

import numpy as np
import scipy  # loads scipy.stats when it is first used: a second less at every start
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rates:
    """Positive answers per group, in [groups]: how many of how many."""

    hits: Floats
    rows: Floats

    @property
    def values(self) -> Floats:
        """The rates, 0 to 1."""
        return self.hits / self.rows


@dataclass(frozen=True)
class Interval:
    """A figure with the interval that holds the true one with the stated confidence."""

    value: float
    low: float
    high: float


def wilson(rates: Rates, confidence: float) -> tuple[Floats, Floats]:
    """Lower and upper limits of each rate: the score interval (Wilson 1927), without continuity correction."""
    z = float(scipy.stats.norm.ppf((1 + confidence) / 2))
    p, n = rates.values, rates.rows
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.clip(middle - half, 0, p), np.clip(middle + half, p, 1)  # whatever the last digit: p lies inside


def greatest_difference(rates: Rates, confidence: float) -> Interval:
    """The greatest rate less the smallest, with an interval that allows for the choice of these two among all.

    Every pair gets the hybrid score interval (Newcombe 1998, method 10) at a confidence that Bonferroni raises by the
    number of pairs, so that all of them hold together with `confidence`; then the true greatest difference is at least
    the greatest of the lower limits, and at most the greatest of the upper ones.
    """
    p = rates.values
    low, high = wilson(rates, _for_each_pair(confidence, len(p)))
    gap = p[:, None] - p[None, :]
    below = gap - np.hypot((p - low)[:, None], (high - p)[None, :])
    above = gap + np.hypot((high - p)[:, None], (p - low)[None, :])
    return _interval(gap.max(), _others(below).max(), _others(above).max())


def smallest_ratio(rates: Rates, confidence: float) -> Interval:
    """The smallest rate over the greatest, with an interval that allows for the choice of these two among all.

    Every pair gets the ratio of its limits by the method of variance estimates recovery (Donner and Zou 2012, from
    Wilson's limits), at a confidence that Bonferroni raises by the number of pairs. No rate above 0 counts as even.
    """
    p = rates.values
    if not p.max():
        return Interval(1.0, 0.0, 1.0)
    low, high = wilson(rates, _for_each_pair(confidence, len(p)))
    product = p[:, None] * p[None, :]
    below = _ratio_limit(product, (low * (2 * p - low))[:, None], (high * (2 * p - high))[None, :], -1.0)
    above = _ratio_limit(product, (high * (2 * p - high))[:, None], (low * (2 * p - low))[None, :], 1.0)
    return _interval(p.min() / p.max(), _others(below).min(), _others(above).min())


def _interval(value: float, low: float, high: float) -> Interval:
    """Differences and ratios lie between 0 and 1."""
    return Interval(float(value), max(0.0, float(low)), min(1.0, float(high)))


def _ratio_limit(product: Floats, above: Floats, below: Floats, sign: float) -> Floats:
    """A limit of p / q by the quadratic's root; infinite (or 0) where the denominator may be 0."""
    root = np.sqrt(np.maximum(product**2 - above * below, 0))
    otherwise = np.full(np.broadcast(product, below).shape, np.inf if sign > 0 else 0.0)
    return np.asarray(np.divide(product + sign * root, below, out=otherwise, where=below != 0))


def _others(pairs: Floats) -> Floats:
    """The pairs of two different groups."""
    return pairs[~np.eye(len(pairs), dtype=bool)]


def _for_each_pair(confidence: float, groups: int) -> float:
    pairs = max(1, groups * (groups - 1) // 2)
    return 1 - (1 - confidence) / pairs
