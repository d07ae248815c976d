"""How a shadow's answers differ from the champion's on the same rows: counts and sums, which add up over replicas."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

LARGEST = 1e140  # its square, summed over any number of rows, is still a number
Outputs = Mapping[str, np.ndarray]


@dataclass(slots=True)
class Compared:
    """Sums over the rows that both have answered; see schemas/common/answers-compared.v1.json."""

    rows: int = 0
    same: int = 0
    numbers: int = 0
    gap: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def add(self, champion: Outputs, shadow: Outputs) -> None:
        """One more request. An output that only one of the two has differs on every row."""
        rows = len(next(iter(champion.values())))
        same = np.full(rows, champion.keys() == shadow.keys())
        for name in champion.keys() & shadow.keys():
            same &= self._output(champion[name].reshape(rows, -1), shadow[name].reshape(rows, -1))
        self.rows += rows
        self.same += int(same.sum())

    def _output(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Compare one output, a row each; answers on which rows the two agree. Numbers agree where both are there."""
        if one.shape != other.shape:
            return np.zeros(len(one), bool)
        if one.dtype.kind != "f" or other.dtype.kind != "f":
            return np.asarray((one == other).all(axis=1))
        known = np.isfinite(one) & np.isfinite(other)
        mine, its = _bounded(one[known]), _bounded(other[known])
        self.numbers += int(known.sum())
        self.gap += float(np.abs(mine - its).sum())
        self.total += float(mine.sum())
        self.squares += float((mine * mine).sum())
        return np.asarray((np.isfinite(one) == np.isfinite(other)).all(axis=1))


def _bounded(values: np.ndarray) -> np.ndarray:
    return np.clip(values.astype(np.float64), -LARGEST, LARGEST)
