"""From rows to what estimators take: a block of numbers beside a block of strings.

Numbers (booleans and integers too) are rounded to float32, since that is what ONNX graphs compare with their
thresholds: a model that is fitted on the rounded numbers answers the same in both. Missing numbers are NaN,
missing strings are empty. Timestamps are no features: a column that says what matters of them is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from headrace.contracts import Column
from headrace.frameworks.base import Recipe
from headrace.frameworks.errors import BadTrainingData
from headrace.runtimes.layout import Layout

FEWEST_ROWS = 20  # below this a holdout and a fit say nothing
UNKNOWN = -1  # the code of a category that training has not seen


def layout_of(features: Sequence[Column]) -> Layout:
    """Which feature goes to which block of the graph."""
    if timestamps := [f.name for f in features if f.type == "timestamp"]:
        raise BadTrainingData(
            f"features {', '.join(timestamps)} are timestamps; give what matters of them (hour, weekday) as columns"
        )
    if not features:
        raise BadTrainingData("the model has no features; name them in data.features")
    return Layout(
        numbers=tuple(f.name for f in features if f.type != "string"),
        strings=tuple(f.name for f in features if f.type == "string"),
    )


def prepare(columns: Mapping[str, Any], layout: Layout) -> pd.DataFrame:
    """The features as pipelines take them: float64 that float32 can hold, and strings without None."""
    data = {name: _numbers(columns[name]) for name in layout.numbers}
    return pd.DataFrame(data | {name: _strings(columns[name]) for name in layout.strings})


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


def for_trees(layout: Layout, keeps_nan: bool) -> ColumnTransformer:
    """Strings as ordinals; numbers as they are, missing ones imputed where the trees cannot tell them."""
    numbers = "passthrough" if keeps_nan else _imputer()
    ordinals = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=UNKNOWN)
    return _transformer(layout, numbers, ordinals)


def for_distances(layout: Layout) -> ColumnTransformer:
    """Strings as one column a category; numbers imputed and scaled: what linear models and neighbours need."""
    numbers = make_pipeline(_imputer(), StandardScaler())
    return _transformer(layout, numbers, OneHotEncoder(handle_unknown="ignore", sparse_output=False))


def pipeline(preparation: ColumnTransformer, estimator: Any) -> Pipeline:
    """Preparation and estimator as one."""
    return Pipeline([("preparation", preparation), ("estimator", estimator)])


def _transformer(layout: Layout, numbers: Any, strings: Any) -> ColumnTransformer:
    split = len(layout.numbers)
    steps = [("numbers", numbers, list(range(split)))] if split else []
    if layout.strings:
        steps.append(("strings", strings, list(range(split, split + len(layout.strings)))))
    return ColumnTransformer(steps)


def _imputer() -> SimpleImputer:
    return SimpleImputer(strategy="median", keep_empty_features=True)


def _numbers(values: Any) -> np.ndarray:
    return pd.Series(values).to_numpy(dtype=np.float64, na_value=np.nan).astype(np.float32).astype(np.float64)


def _strings(values: Any) -> np.ndarray:
    series = pd.Series(values, dtype=object)
    return series.where(series.notna(), "").astype(str).to_numpy(dtype=object)
