"""Quality of predictions against their truth."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import metrics as sk

from headrace.contracts import METRICS

Array = NDArray[np.float64]

LABELS: Mapping[str, Callable[[Array, Array], float]] = {
    "accuracy": sk.accuracy_score,
    "f1": lambda truth, label: sk.f1_score(truth, label, zero_division=0),
    "precision": lambda truth, label: sk.precision_score(truth, label, zero_division=0),
    "recall": lambda truth, label: sk.recall_score(truth, label, zero_division=0),
}
PROBABILITIES: Mapping[str, Callable[[Array, Array], float]] = {
    "roc_auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "brier": sk.brier_score_loss,
    "log_loss": lambda truth, p: sk.log_loss(truth, p, labels=[0, 1]),
}
NUMBERS: Mapping[str, Callable[[Array, Array], float]] = {
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
    "r2": sk.r2_score,
}


def quality_of(judged: pd.DataFrame, names: Sequence[str], minimum: int) -> dict[str, float]:
    """Each metric that can honestly be told; none with fewer than `minimum` rows or, for a classifier, one class.

    `judged` has `truth` and what the model said: `label` and `probability`, or `prediction`.
    """
    known = judged.dropna(subset=["truth"])
    if len(known) < minimum:
        return {}
    return {name: value for name in names if (value := _measure(name, known)) is not None}


def _measure(name: str, known: pd.DataFrame) -> float | None:
    truth = known["truth"].to_numpy(dtype=np.float64)
    if METRICS[name].task == "classification" and len(np.unique(truth)) < 2:
        return None
    for functions, column in ((LABELS, "label"), (PROBABILITIES, "probability"), (NUMBERS, "prediction")):
        if name in functions and column in known:
            return float(functions[name](truth, known[column].to_numpy(dtype=np.float64)))
    return None
