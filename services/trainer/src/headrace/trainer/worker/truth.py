"""Truth and score of rows, as metrics take them."""

import numpy as np
import pandas as pd

from headrace.frameworks import ForeignLabels
from headrace.frameworks.signature import labels_in
from headrace.runtimes import Model


class BadTruth(ValueError):
    """The target of held-out rows cannot be compared with what the model says."""


def score_of(model: Model, rows: pd.DataFrame) -> np.ndarray:
    """The probability of the positive label, or the predicted number, in [rows]."""
    names = [tensor.name for tensor in model.signature.inputs]
    if missing := [name for name in names if name not in rows.columns]:
        raise BadTruth(f"the rows have no column {', '.join(missing)}, which the model needs")
    answer = model.answer({name: _values(rows[name]) for name in names})
    return answer["probability"] if "probability" in answer else answer["prediction"]


def truth_of(model: Model, target: pd.Series) -> np.ndarray:
    """The target as 1 of the model's positive label and 0 of the other, or as numbers."""
    if missing := int(target.isna().sum()):
        raise BadTruth(f"target {target.name!r} is missing in {missing} of {len(target)} held-out rows")
    labels = labels_in(model.signature)
    if labels is None:
        return target.to_numpy(dtype=np.float64)
    try:
        return labels.codes(target).astype(np.float64)
    except ForeignLabels as error:
        raise BadTruth(f"target {target.name!r} holds {error}") from error


def _values(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column):
        return np.asarray(column.to_numpy())
    return np.asarray(column.astype(object).where(column.notna(), None), dtype=object)
