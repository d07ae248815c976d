"""Truth and score of rows, as metrics take them."""

import numpy as np
import pandas as pd

from headrace.frameworks import OnnxPredictor


class BadTruth(ValueError):
    """The target of held-out rows cannot be compared with what the model says."""


def score_of(graph: OnnxPredictor, rows: pd.DataFrame) -> np.ndarray:
    """The probability of the greater class, or the predicted number, in [rows]."""
    names = [tensor.name for tensor in graph.signature.inputs]
    if missing := [name for name in names if name not in rows.columns]:
        raise BadTruth(f"the rows have no column {', '.join(missing)}, which the model needs")
    answer = graph.predict({name: _values(rows[name]) for name in names})
    return answer["probability"] if "probability" in answer else answer["prediction"]


def truth_of(graph: OnnxPredictor, target: pd.Series) -> np.ndarray:
    """The target as 0 and 1 of the model's two labels, or as numbers."""
    if missing := int(target.isna().sum()):
        raise BadTruth(f"target {target.name!r} is missing in {missing} of {len(target)} held-out rows")
    if graph.labels is None:
        return target.to_numpy(dtype=np.float64)
    values = target.astype(str) if isinstance(graph.labels[0], str) else target.astype(np.int64)
    if foreign := set(values.unique()) - set(graph.labels):
        raise BadTruth(f"target {target.name!r} holds {sorted(foreign)}, which the model has never seen")
    return (values == graph.labels[1]).to_numpy(dtype=np.float64)


def _values(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column):
        return np.asarray(column.to_numpy())
    return np.asarray(column.astype(object).where(column.notna(), None), dtype=object)
