"""Drift of every column of a sample against the reference of its model."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
import pandas as pd

from headrace.contracts import ColumnDrift, DriftPolicy
from headrace.contracts.detectors import Kind
from headrace.monitor.detectors import DETECTORS, Detector, usual
from headrace.monitor.detectors.base import Floats

PREDICTION = "prediction"


def drift_of(
    reference: pd.DataFrame, current: pd.DataFrame, columns: Sequence[str], policy: DriftPolicy, *, threads: int = 2
) -> list[ColumnDrift]:
    """Drift per column, in the order of `columns`; columns that one side lacks are left out."""
    there = [name for name in columns if name in reference.columns and name in current.columns]
    with ThreadPoolExecutor(threads) as pool:
        pairs = [(name, _series(reference, name), _series(current, name)) for name in there]
        return list(pool.map(lambda pair: column_drift(pair[0], pair[1], pair[2], policy), pairs))


def column_drift(name: str, reference: pd.Series, current: pd.Series, policy: DriftPolicy) -> ColumnDrift:
    """Drift of one column; gaps are left out on both sides."""
    kind = kind_of(reference)
    before, after = _numbers(reference, current) if kind == "numeric" else _counted(reference, current)
    detector = _detector(kind, policy, len(current), len(before))
    limit = policy.threshold if policy.threshold is not None else detector.limit
    score = detector.measure(before, after) if len(before) and len(after) else 0.0
    shown = "prediction" if name == PREDICTION else kind
    return ColumnDrift(
        column=name,
        kind=cast("Kind", shown),
        method=detector.name,
        score=round(score, 6),
        limit=limit,
        drifted=detector.drifted(score, limit),
    )


def kind_of(reference: pd.Series) -> Kind:
    """Numeric, or categorical for words, truth values and few whole numbers."""
    if pd.api.types.is_bool_dtype(reference) or not pd.api.types.is_numeric_dtype(reference):
        return "categorical"
    if pd.api.types.is_integer_dtype(reference) and reference.nunique() <= 2:
        return "categorical"
    return "numeric"


def share(found: Sequence[ColumnDrift]) -> float | None:
    """The share of the columns that drifted, the prediction apart."""
    columns = [each for each in found if each.kind != "prediction"]
    return sum(each.drifted for each in columns) / len(columns) if columns else None


def _detector(kind: Kind, policy: DriftPolicy, rows: int, categories: int) -> Detector:
    wished = DETECTORS.get(policy.method or "")
    if wished is not None and kind in wished.kinds:
        return wished
    return usual(kind, rows, categories)


def _numbers(reference: pd.Series, current: pd.Series) -> tuple[Floats, Floats]:
    before, after = (np.asarray(each.to_numpy(dtype=np.float64, na_value=np.nan)) for each in (reference, current))
    return before[np.isfinite(before)], after[np.isfinite(after)]


def _counted(reference: pd.Series, current: pd.Series) -> tuple[Floats, Floats]:
    """Counts per category over the categories of both; values are compared as text, as JSON may change 1 to 1.0."""
    before, after = (_words(each).value_counts() for each in (reference, current))
    names = before.index.union(after.index)
    first = np.asarray(before.reindex(names, fill_value=0), dtype=np.float64)
    return first, np.asarray(after.reindex(names, fill_value=0), dtype=np.float64)


def _series(frame: pd.DataFrame, name: str) -> pd.Series:
    column: pd.Series = frame[name]
    return column


def _words(column: pd.Series) -> pd.Series:
    known = column.dropna()
    if pd.api.types.is_numeric_dtype(known) and not pd.api.types.is_bool_dtype(known):
        return known.astype(np.float64)
    return known
