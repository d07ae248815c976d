"""Quantiles of any number of values in bounded memory, and of parts together: the KLL sketch.

Karnin, Lang, Liberty: Optimal Quantile Approximation in Streams, 2016. Values lie in levels; one at level h stands for
2^h of the stream. A level that is full is sorted, and every other value of it rises. Which half rises is drawn from a
generator that is seeded by the number of values, so that the same data make the same sketch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
K = 256  # values at the top level; some three times as many in all
RANK_ERROR = 0.015  # of a quantile's rank, with 99 % confidence, however many parts were merged
SHRINK = 2 / 3  # of a level's capacity, to the next lower one
LARGE = 1e150  # beyond it, squares and differences of 64-bit floating point overflow


class Sketch:
    """Values with weights that are powers of two."""

    def __init__(self, levels: Sequence[Sequence[float]] = ()) -> None:
        self._levels: list[Floats] = [np.asarray(level, dtype=float) for level in levels]

    @property
    def weight(self) -> int:
        """How many values it stands for."""
        return sum(len(level) << height for height, level in enumerate(self._levels))

    def add(self, values: Floats, height: int = 0) -> None:
        """Take values in, each of which stands for 2^height values of the stream."""
        self._levels += [np.empty(0)] * (height + 1 - len(self._levels))
        self._levels[height] = np.concatenate([self._levels[height], values])
        self._compress()

    def merged(self, other: Sketch) -> Sketch:
        """The sketch of both."""
        both = Sketch()
        both._levels = [level.copy() for level in self._levels]
        for height, level in enumerate(other._levels):
            both.add(level, height)
        return both

    def _compress(self) -> None:
        while sum(map(len, self._levels)) > sum(map(self._room, range(len(self._levels)))):
            height = next(h for h, level in enumerate(self._levels) if len(level) > self._room(h))
            self._lift(height)

    def _room(self, height: int) -> int:
        return max(2, math.ceil(K * SHRINK ** (len(self._levels) - 1 - height)))

    def _lift(self, height: int) -> None:
        """Let half of a level rise; of an odd number, the smallest stays."""
        level = np.sort(self._levels[height], kind="stable")  # which is fast where much of it is sorted
        odd = len(level) % 2
        draw = int(np.random.default_rng(self.weight * 64 + height).integers(2))
        self._levels[height] = level[:odd]
        if height + 1 == len(self._levels):
            self._levels.append(np.empty(0))
        self._levels[height + 1] = np.concatenate([self._levels[height + 1], level[odd + draw :: 2]])

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """The values at these shares of the weight; none where there is no value."""
        if not self.weight:
            return []
        values = np.concatenate(self._levels)
        weights = np.concatenate([np.full(len(level), 1 << h) for h, level in enumerate(self._levels)])
        order = np.argsort(values, kind="stable")
        ranks = np.cumsum(weights[order])
        at = np.searchsorted(ranks, np.asarray(shares) * ranks[-1])
        return [float(value) for value in values[order][np.minimum(at, len(values) - 1)]]

    def as_lists(self) -> list[list[float]]:
        """The levels, lowest first, as JSON holds them."""
        return [[float(value) for value in level] for level in self._levels]


def scale_of(largest: float) -> float:
    """A power of two by which values are divided before they are squared or subtracted; 1 unless they are huge."""
    return 1.0 if largest < LARGE else 2.0 ** (math.frexp(largest)[1] - 1)
