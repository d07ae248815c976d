"""How much each row counts: by a column of the data, by its label, or by both."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from headrace.contracts.labels import match_label, named_labels
from headrace.frameworks.base import Recipe
from headrace.frameworks.errors import BadEstimator, BadTrainingData
from headrace.tasks import Target


def weights_of(frame: pd.DataFrame, recipe: Recipe, target: Target, truth: np.ndarray) -> np.ndarray | None:
    """One number from 0 on for each row; None where every row counts the same."""
    by_row = None if recipe.weight is None else _column(frame, recipe.weight)
    if recipe.class_weight is None:
        return by_row
    by_label = _of_labels(recipe, target, truth)[truth.astype(np.int64)]
    return by_label if by_row is None else by_row * by_label


def _column(frame: pd.DataFrame, name: str) -> np.ndarray:
    if name not in frame.columns:
        raise BadTrainingData(f"weight column {name!r} is no column of the data: {', '.join(frame.columns)}")
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~np.isfinite(values) | (values < 0)
    if wrong.any():
        first = frame[name].iloc[int(np.argmax(wrong))]
        raise BadTrainingData(
            f"weight column {name!r} holds {first} and {int(wrong.sum()) - 1} more values that are no weights; "
            "a weight is a number from 0 on, in every row"
        )
    if not values.any():
        raise BadTrainingData(f"weight column {name!r} is 0 in every row; nothing would be learned")
    return values


def _of_labels(recipe: Recipe, target: Target, truth: np.ndarray) -> np.ndarray:
    """The weight of each label, by code; 1 for a label that is not named."""
    if not target.labels:
        raise BadEstimator(f"class_weight is for labels, and task {recipe.task} has none")
    named = recipe.class_weight
    if not isinstance(named, Mapping):
        counts = np.bincount(truth.astype(np.int64), minlength=len(target.labels))
        return len(truth) / (len(target.labels) * np.maximum(counts, 1))
    weights = np.ones(len(target.labels))
    for label, weight in named.items():
        code = match_label(label, target.labels)
        if code is None:
            told = f"class_weight names {label!r}; the labels of the data are {named_labels(target.labels)}"
            raise BadEstimator(told)
        weights[code] = weight
    return weights
