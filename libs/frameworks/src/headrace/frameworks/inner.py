"""The rows that an estimator learns, and those that it is only watched on, so that it stops in time.

Both are among the rows that may be learned from: the holdout is not here.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from headrace.frameworks.base import EarlyStopping
from headrace.frameworks.errors import BadTrainingData
from headrace.tasks import APART

FEWEST_WATCHED = 10  # rows: below this a gain is an accident


@dataclass(frozen=True)
class Judged:
    """Prepared rows that a fit is asked about on its way."""

    seen: np.ndarray
    after: Callable[[int], Container[int]]
    """Of so many trees in all, after which numbers of them."""
    tell: Callable[[int, int, np.ndarray], None]
    """Told trees, trees in all, and the raw answers so far."""


@dataclass(frozen=True)
class Rows:
    """Prepared rows with what is true of them."""

    seen: np.ndarray
    """[rows, columns], as the estimator sees them."""
    truth: np.ndarray
    weights: np.ndarray | None
    """How much each row counts; None where all count the same."""
    groups: np.ndarray | None = None
    """The code of the group of each row, APART where it has none; None where rows stand for themselves."""
    codes: tuple[int, ...] = ()
    """The columns that hold codes of texts."""
    judged: Judged | None = None
    """What is asked of the fit on its way; None for nothing."""

    def in_groups(self) -> tuple["Rows", list[int]]:
        """The rows with those of a group behind each other, and the size of each group.

        A row without a group is one by itself, and so is every row where there are no groups.
        """
        own = np.arange(len(self.truth))
        codes = own if self.groups is None else np.where(self.groups == APART, len(own) + own, self.groups)
        _, sizes = np.unique(codes, return_counts=True)
        return self.at(np.argsort(codes, kind="stable")), sizes.tolist()

    def at(self, rows: np.ndarray, seen: np.ndarray | None = None) -> "Rows":
        """Some of the rows, by a mask or by their places; `seen` where the estimator sees these ones otherwise."""
        weights, groups = (None if each is None else each[rows] for each in (self.weights, self.groups))
        seen = self.seen[rows] if seen is None else seen
        return replace(self, seen=seen, truth=self.truth[rows], weights=weights, groups=groups)


def watched_rows(frame: pd.DataFrame, asked: EarlyStopping | None, seed: int) -> np.ndarray:
    """The mask of the rows that are not learned from but watched: none where early stopping is not asked for."""
    if asked is None:
        return np.zeros(len(frame), dtype=bool)
    mask = _newest(frame[asked.time], asked.fraction) if asked.time else _some(len(frame), asked.fraction, seed)
    if mask.sum() < FEWEST_WATCHED or mask.all():
        raise BadTrainingData(
            f"early stopping would watch {int(mask.sum())} of {len(frame)} rows; at least {FEWEST_WATCHED} are needed, "
            "and some to learn from: give more rows, another training.early_stopping.fraction, or leave it out"
        )
    return mask


def _newest(times: pd.Series, fraction: float) -> np.ndarray:
    """Rows of one instant stay together; rows without a time are learned from."""
    known = times.dropna().sort_values()
    if known.empty:
        return np.zeros(len(times), dtype=bool)
    boundary = known.iloc[min(len(known) - 1, int(len(known) * (1 - fraction)))]
    return np.asarray((times >= boundary).fillna(False), dtype=bool)


def _some(rows: int, fraction: float, seed: int) -> np.ndarray:
    mask = np.zeros(rows, dtype=bool)
    mask[np.random.default_rng(seed).permutation(rows)[: round(rows * fraction)]] = True
    return mask
