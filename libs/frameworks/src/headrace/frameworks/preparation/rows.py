"""The rows that an estimator learns from: features as requests carry them, and a target that is whole."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from headrace.contracts import Column
from headrace.contracts.preparation import KINDS, TEXT, TIMESTAMP, kind_of_type
from headrace.frameworks.base import Recipe
from headrace.frameworks.errors import BadTrainingData
from headrace.runtimes.layout import infinite_as_missing

FEWEST_ROWS = 20  # below this a holdout and a fit say nothing


def prepare(columns: Mapping[str, Any], features: Sequence[Column]) -> pd.DataFrame:
    """The features, and nothing else, without pandas' own types: float64, text or None, times or None."""
    return pd.DataFrame({each.name: _READ[kind_of_type(each.type)](columns[each.name]) for each in features})


def target_of(frame: pd.DataFrame, recipe: Recipe) -> np.ndarray:
    """The target's values, complete and long enough, or a sentence about why it cannot be learned."""
    if recipe.target not in frame.columns:
        raise BadTrainingData(f"target {recipe.target!r} is no column of the data: {', '.join(frame.columns)}")
    if recipe.target in recipe.names:
        raise BadTrainingData(f"target {recipe.target!r} is among the features; a model cannot be told its answer")
    target = frame[recipe.target]
    if len(target) < FEWEST_ROWS:
        raise BadTrainingData(f"{len(target)} rows are too few to train on; at least {FEWEST_ROWS} are needed")
    if missing := int(target.isna().sum()):
        raise BadTrainingData(f"target {recipe.target!r} is missing in {missing} of {len(target)} rows")
    return np.asarray(target.to_numpy())


def _numbers(values: Any) -> np.ndarray:
    found = pd.Series(values).to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(over="ignore"):
        return infinite_as_missing(found.astype(np.float32)).astype(np.float64)


def _others(values: Any) -> pd.Series:
    series = pd.Series(values)
    return series if series.dtype.kind == "M" else series.astype(object).where(series.notna(), None)


_READ = {kind: _others if kind in (TEXT, TIMESTAMP) else _numbers for kind in KINDS}
