"""Run in a process of a replica: the two models of `mlserver_models.py`, which answer what MLServer answers."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Columns = Mapping[str, Sequence[float]]
ROWS, TARGET = load_breast_cancer(return_X_y=True)


def _serving(model: object) -> Callable[[Columns], dict[str, np.ndarray]]:
    fitted = model.fit(ROWS, TARGET)  # type: ignore[attr-defined]
    return lambda columns: {"label": fitted.predict(np.array(list(columns.values())).T)}


lr = _serving(make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)))
rf = _serving(RandomForestClassifier(100, random_state=0))
