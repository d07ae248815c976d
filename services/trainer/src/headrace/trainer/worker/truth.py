"""Truth and score of rows, as metrics take them."""

import numpy as np
import pandas as pd

from headrace.runtimes import Model
from headrace.tasks import BadTruth, Outputs, Score, Target, target_of

__all__ = ["BadTruth", "answers_of", "beside", "score_of", "truth_of"]


def answers_of(model: Model, rows: pd.DataFrame) -> Outputs:
    """What a model says of rows, output by output."""
    names = [tensor.name for tensor in model.signature.inputs]
    if missing := [name for name in names if name not in rows.columns]:
        raise BadTruth(f"the rows have no column {', '.join(missing)}, which the model needs")
    return model.answer({name: _values(rows[name]) for name in names})


def score_of(model: Model, rows: pd.DataFrame) -> Score:
    """The answers as metrics take them."""
    target = target_of(model.signature)
    score = target.judged(answers_of(model, rows), beside(target, rows))
    if score is None:
        raise BadTruth("the model gives nothing that metrics can judge")
    return score


def beside(target: Target, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """The columns of rows that judging answers takes."""
    return {name: _values(rows[name]) for name in target.beside if name in rows.columns}


def truth_of(model: Model, target: pd.Series) -> np.ndarray:
    """The target as metrics take it."""
    if missing := int(target.isna().sum()):
        raise BadTruth(f"target {target.name!r} is missing in {missing} of {len(target)} held-out rows")
    try:
        return target_of(model.signature).encode(np.asarray(target.to_numpy()))
    except BadTruth as error:
        raise BadTruth(f"target {target.name!r} holds {error}") from error


def _values(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column):
        return np.asarray(column.to_numpy())
    return np.asarray(column.astype(object).where(column.notna(), None), dtype=object)
