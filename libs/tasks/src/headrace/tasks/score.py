"""Answers as metrics take them: their values, and what a metric must know beside them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

APART = -1  # the code of a row that belongs to no group


@dataclass(frozen=True)
class Score:
    """Answers as metrics take them."""

    kind: str
    """What the values are; a metric says which kinds it can judge."""
    values: np.ndarray
    """[rows], or [rows, columns]; NaN where there is no answer."""
    groups: np.ndarray | None = None
    """Where rows are judged together: the code of the group of each row, in [rows]; APART where it is not known."""
    levels: tuple[float, ...] = ()
    """Where the columns are quantiles: which ones, rising."""
    scale: np.ndarray | None = None
    """Where errors can be scaled: what the error of each row is divided by, in [rows]; NaN where it is not known."""

    @property
    def known(self) -> np.ndarray:
        """The rows that have an answer, and a group where they need one."""
        there = np.isfinite(self.values)
        there = there if there.ndim == 1 else np.asarray(there.all(axis=1))
        return there if self.groups is None else there & (self.groups != APART)

    @property
    def units(self) -> int:
        """What is drawn when rows are resampled: the groups that there are, or rows where they have none."""
        return len(self.values) if self.groups is None else len(np.unique(self.groups[self.groups != APART]))

    def at(self, rows: np.ndarray) -> "Score":
        """The score of some rows alone, by a mask."""
        groups, scale = (None if each is None else each[rows] for each in (self.groups, self.scale))
        return replace(self, values=self.values[rows], groups=groups, scale=scale)

    def saying(self, values: np.ndarray) -> "Score":
        """Other answers for the same rows."""
        return replace(self, values=values)


def group_codes(values: Iterable[Any]) -> np.ndarray:
    """One code for each different value, in the order of their first rows; APART for what is missing."""
    codes: dict[Any, int] = {}
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return np.array(
        [APART if _missing(value) else codes.setdefault(value, len(codes)) for value in listed], dtype=np.int64
    )


def whole_groups(mask: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """The rows of a mask whose whole group is in it; rows without a group stand for themselves."""
    if groups is None:
        return mask
    split = np.unique(groups[~mask & (groups != APART)])
    return np.asarray(mask & ~np.isin(groups, split))


def _missing(value: Any) -> bool:
    return value is None or value != value or isinstance(value, list | dict)
