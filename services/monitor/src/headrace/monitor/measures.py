"""The functions behind the metrics' names, by the column that each one judges: scikit-learn's own."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

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

BY_COLUMN = {"label": LABELS, "probability": PROBABILITIES, "prediction": NUMBERS}
