"""Drift of every column of a sample against the reference of its version."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import structlog

from headrace.contracts import ColumnDrift, DriftPolicy, NotJudged, detector_problem
from headrace.contracts.detectors import Kind
from headrace.detectors import DETECTORS, Detector, usual
from headrace.detectors.base import Floats

log = structlog.get_logger()

FEATURE, CONTEXT, PREDICTION = "feature", "context", "prediction"  # roles
FEWEST = 30  # values of a reference below which it stands for nothing


@dataclass(frozen=True)
class Pair:
    """One column as it was and as it is."""

    name: str
    role: str
    reference: pd.Series
    current: pd.Series
    kind: Kind | None = None
    """What it holds, where that is known; else the reference tells."""


def drift_of(
    pairs: Sequence[Pair], policy: DriftPolicy, minimum: int, *, threads: int = 2
) -> tuple[list[ColumnDrift], list[NotJudged]]:
    """Drift per column, in their order, and the columns that have no figure."""
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda pair: _judged(pair, policy, minimum), pairs))
    drift = [each for each in found if isinstance(each, ColumnDrift)]
    return drift, [each for each in found if isinstance(each, NotJudged)]


def pairs_of(reference: pd.DataFrame, current: pd.DataFrame, columns: Sequence[str], role: str) -> list[Pair]:
    """The columns that both sides have."""
    there = [name for name in columns if name in reference.columns and name in current.columns]
    return [Pair(name, role, _series(reference, name), _series(current, name)) for name in there]


def kind_of(reference: pd.Series) -> Kind:
    """Numeric, or categorical for words, truth values and few whole numbers."""
    if pd.api.types.is_bool_dtype(reference) or not pd.api.types.is_numeric_dtype(reference):
        return "categorical"
    if pd.api.types.is_integer_dtype(reference) and reference.nunique() <= 2:
        return "categorical"
    return "numeric"


def share(found: Sequence[ColumnDrift]) -> float | None:
    """The share of the features that drifted; None where none was judged."""
    features = [each for each in found if each.role == FEATURE]
    return sum(each.drifted for each in features) / len(features) if features else None


def _judged(pair: Pair, policy: DriftPolicy, minimum: int) -> ColumnDrift | NotJudged:
    """A column that cannot be measured keeps no other from being measured."""
    try:
        return column_drift(pair, policy, minimum)
    except (ValueError, TypeError, OverflowError, ArithmeticError) as error:
        log.warning("column_not_measured", column=pair.name, error=str(error))
        return NotJudged(column=pair.name, rows=len(pair.current), reason=f"it cannot be measured: {error}")


def column_drift(pair: Pair, policy: DriftPolicy, minimum: int) -> ColumnDrift | NotJudged:
    """Drift of one column; gaps are left out on both sides, and too few values give no figure."""
    kind = pair.kind or kind_of(pair.reference)
    before, after = (_numbers if kind == "numeric" else _counted)(pair.reference, pair.current)
    if lacking := _too_few(pair.name, _size(kind, before), _size(kind, after), minimum):
        return lacking
    method, limit = declared(policy, kind)
    if pair.role == PREDICTION and method is not None and detector_problem(DETECTORS, method, kind=kind):
        method, limit = None, None  # the method was chosen for the features
    if method is not None and (problem := detector_problem(DETECTORS, method, kind=kind)):
        return NotJudged(column=pair.name, rows=_size(kind, after), reason=problem)
    detector = DETECTORS[method] if method else usual(kind, len(pair.current), len(before))
    return _measured(pair, kind, detector, limit, _finite_score(detector.measure(before, after)))


def declared(policy: DriftPolicy, kind: Kind) -> tuple[str | None, float | None]:
    """The detector that a declaration names for columns of a kind, and the limit that it gives that detector.

    Each detector has its own limit: a p-value and a distance cannot share one.
    """
    own = policy.numeric if kind == "numeric" else policy.categorical
    if own is not None:
        return own.method, own.limit
    return policy.method, policy.threshold if policy.method else None


def _finite_score(score: float) -> float:
    if not math.isfinite(score):
        raise ArithmeticError("the distance is not finite")
    return score


def _measured(pair: Pair, kind: Kind, detector: Detector, limit: float | None, score: float) -> ColumnDrift:
    held = detector.limit if limit is None else limit
    return ColumnDrift(
        column=pair.name,
        role=pair.role,
        kind=kind,
        method=detector.name,
        score=round(score, 6),
        limit=held,
        drifted=detector.drifted(score, held),
    )


def _size(kind: Kind, values: Floats) -> int:
    return len(values) if kind == "numeric" else int(values.sum())


def _too_few(column: str, before: int, after: int, minimum: int) -> NotJudged | None:
    if after < minimum:
        return NotJudged(column=column, rows=after, needed=minimum, reason="too few values")
    if before < min(FEWEST, minimum):
        return NotJudged(column=column, rows=before, needed=min(FEWEST, minimum), reason="too few in the reference")
    return None


def _numbers(reference: pd.Series, current: pd.Series) -> tuple[Floats, Floats]:
    before, after = (_finite(each) for each in (reference, current))
    return before, after


def _finite(column: pd.Series) -> Floats:
    """JSON's values as numbers: a column of gaps and whole numbers is numeric all the same."""
    typed = column if pd.api.types.is_numeric_dtype(column) else pd.to_numeric(column, errors="coerce")
    values: Floats = typed.to_numpy(dtype=np.float64, na_value=np.nan)
    return values[np.isfinite(values)]


def _counted(reference: pd.Series, current: pd.Series) -> tuple[Floats, Floats]:
    """Counts per category over the categories of both; 1 and 1.0 are the same, as JSON may change one to the other."""
    before, after = (_counts(each) for each in (reference, current))
    names = list(dict.fromkeys([*before, *after]))
    first, second = (np.array([side.get(name, 0) for name in names], dtype=np.float64) for side in (before, after))
    return first, second


def _counts(column: pd.Series) -> Mapping[object, int]:
    known = column.dropna()
    if pd.api.types.is_numeric_dtype(known) and not pd.api.types.is_bool_dtype(known):
        known = known.astype(np.float64)
    try:
        counts: Mapping[object, int] = known.value_counts().to_dict()
    except TypeError:  # lists and objects, which have no place in a column of words
        counts = known.map(repr).value_counts().to_dict()
    return counts


def _series(frame: pd.DataFrame, name: str) -> pd.Series:
    column: pd.Series = frame[name]
    return column
