"""Which rows a model may learn from, and which judge it.

By time: the newest rows, from a boundary on; rows of one instant stay together. At random: decided for every row by
its content alone, not by seed, file or place. So a row is held out in every later version of the dataset too, in a
snapshot that replaces it, and for every model; and what a smaller fraction holds out, a larger one holds out as well.
"""

from typing import Any

import numpy as np
import pandas as pd

from headrace.tasks import group_codes, whole_groups
from headrace.trainer.worker.content import contents, mixed, shares


class NoHoldout(ValueError):
    """The rows cannot be divided; the message says why."""


def by_time(times: pd.Series, fraction: float, groups: np.ndarray | None = None) -> tuple[np.ndarray, str]:
    """The mask of held-out rows and the boundary: the least time among them. Rows without a time are learned from.

    A group with a row at or after the boundary is held out as a whole: nothing is learned of what came later.
    """
    known = times.dropna().sort_values()
    if known.empty:
        raise NoHoldout(f"time column {times.name!r} is empty in every row")
    boundary = known.iloc[min(len(known) - 1, int(len(known) * (1 - fraction)))]
    held = since(times, written(boundary), groups)
    if held.all():
        raise NoHoldout(f"time column {times.name!r} is {boundary} from the first row on; none is left to learn from")
    return held, written(boundary)


def groups_of(rows: pd.DataFrame, column: str | None) -> np.ndarray | None:
    """The group of every row; None where rows stand for themselves."""
    return None if column is None else group_codes(rows[column].astype(object).where(rows[column].notna(), None))


def since(times: pd.Series, boundary: str, groups: np.ndarray | None = None) -> np.ndarray:
    """The mask of rows at or after a boundary that `by_time` has written, and of the others of their groups."""
    held = np.asarray((times >= _read(boundary, times)).fillna(False), dtype=bool)
    return ~whole_groups(~held, groups)


def identity_of(rows: pd.DataFrame, own: np.ndarray, column: str | None) -> np.ndarray:
    """Who every row is; where a column groups them who its group is, so that a group is held out as a whole.

    A row without a group is itself.
    """
    return own if column is None else np.where(rows[column].isna(), own, mixed(contents(rows, [column])))


def at_random(identity: np.ndarray, fraction: float) -> np.ndarray:
    """The mask of held-out rows, by who each row is (see `content`)."""
    held = np.asarray(shares(identity) < fraction)
    if held.all() or not held.any():
        raise NoHoldout(f"{len(held)} rows are too few to hold out {fraction:.0%} of them")
    return held


def written(boundary: Any) -> str:
    """A boundary as text: ISO 8601 for timestamps."""
    return boundary.isoformat() if isinstance(boundary, pd.Timestamp) else str(boundary)


def _read(boundary: str, times: pd.Series) -> Any:
    if pd.api.types.is_datetime64_any_dtype(times):
        return pd.Timestamp(boundary)
    return float(boundary) if pd.api.types.is_numeric_dtype(times) else boundary
