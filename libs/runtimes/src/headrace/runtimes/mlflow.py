"""A model directory for MLflow: `mlflow.pyfunc.load_model(folder)` finds this module by the directory's `MLmodel`.

MLflow itself is not needed to import it, and nothing here is for our own services.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.runtimes.base import Model
from headrace.runtimes.catalog import load

if TYPE_CHECKING:  # MLflow brings pandas to whoever loads a model with it
    import pandas as pd


class PythonFunction:
    """A loaded model with the call that MLflow makes."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def predict(self, model_input: "pd.DataFrame", params: dict[str, Any] | None = None) -> "pd.DataFrame":
        """The outputs as columns, one row for each row; an output of several values is a list in its cell.

        `params` is what MLflow passes on; no model of ours takes any.
        """
        columns = {tensor.name: _values(model_input[tensor.name]) for tensor in self._model.signature.inputs}
        answers = self._model.answer(columns)
        told = {name: np.asarray(values) for name, values in answers.items()}
        cells = {name: values if values.ndim == 1 else list(values) for name, values in told.items()}
        return model_input.iloc[:, :0].assign(**cells)  # the same rows, and no column of theirs


def _load_pyfunc(data_path: str) -> PythonFunction:
    """What MLflow calls with the folder; raises BadModel."""
    return PythonFunction(load(Path(data_path)))


def _values(column: "pd.Series") -> np.ndarray:
    """Numbers as they are, everything else as objects with None for what is missing."""
    if column.dtype.kind in "iuf":
        return np.asarray(column.to_numpy())
    return np.asarray(column.astype(object).where(column.notna(), None), dtype=object)
