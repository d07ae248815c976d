"""The framework `code`: fit runs the package, save makes a model directory of what it left, load answers with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headrace.code import protocol
from headrace.frameworks.base import About, Fitted, Progress, Recipe, Saved
from headrace.frameworks.code.collecting import Foreign, collect
from headrace.frameworks.code.results import model_directory
from headrace.frameworks.code.running import Folder, run
from headrace.frameworks.errors import BadEstimator, BadTrainingData, CodeFailed
from headrace.frameworks.fitting import SAMPLE_ROWS, spread
from headrace.frameworks.own import OwnCode
from headrace.frameworks.preparation import target_of
from headrace.runtimes import Columns, Model, load
from headrace.tasks import BadTarget, Target, task_named

_MODEL = "model"


class LoadedModel:
    """What a model directory of own code answers."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.signature = model.signature

    def predict(self, columns: Columns) -> dict[str, np.ndarray]:
        """The outputs that the signature names, one entry a row."""
        return dict(self._model.answer(columns))


class Code:
    """Runs what a user has pushed."""

    name = "code"

    def check(self, estimator: str, params: Mapping[str, Any]) -> None:
        """Own code takes any parameters."""

    def fit(self, frame: pd.DataFrame, recipe: Recipe, progress: Progress) -> Fitted:
        """Run the program on the rows; raises CodeFailed, BadTrainingData."""
        code = recipe.code
        if code is None:
            raise BadEstimator("own code is trained from a package; say training.code")
        target = _learned(frame, recipe)
        folder = Folder(code.scratch / "run")
        folder.make(code.package, _job(code, recipe, target, len(frame)))
        frame.to_parquet(folder.data / protocol.TRAIN_PARQUET, index=False)
        if code.command:
            frame.to_csv(folder.data / protocol.TRAIN_CSV, index=False, date_format="%Y-%m-%dT%H:%M:%S.%f%z")
        run(code, folder)
        sample, model = spread(frame[recipe.names], SAMPLE_ROWS), _taken(folder, code.scratch)
        return Fitted(recipe, model, target, sample, origins=(), preparation=())

    def save(self, fitted: Fitted, folder: Path, about: About) -> Saved:
        """Write the model directory; raises CodeFailed where what was saved is no model, or answers nonsense."""
        return model_directory(fitted, folder, about)

    def load(self, folder: Path) -> LoadedModel:
        """The model directory, answered by the runtime that it names."""
        return LoadedModel(load(folder))


def _learned(frame: pd.DataFrame, recipe: Recipe) -> Target:
    try:
        return task_named(recipe.task).learn(target_of(frame, recipe), recipe.target, recipe.positive, recipe.options)
    except BadTarget as error:
        raise BadTrainingData(str(error)) from error


def _job(code: OwnCode, recipe: Recipe, target: Target, rows: int) -> dict[str, Any]:
    resumed = code.resume
    return {
        "run": code.run,
        "attempt": code.attempt,
        "resumed": {"step": resumed.step, "metrics": dict(resumed.metrics)} if resumed else None,
        "task": recipe.task,
        "task_options": dict(recipe.options),
        "seed": recipe.seed,
        "params": dict(recipe.params),
        "features": [column.model_dump(mode="json", exclude_none=True) for column in recipe.features],
        "context": [column.model_dump(mode="json", exclude_none=True) for column in recipe.context],
        "target": recipe.target,
        "labels": list(target.labels),
        "rows": rows,
    }


def _taken(folder: Folder, scratch: Path) -> Path:
    """What the program saved, where it cannot change any more."""
    to = scratch / _MODEL
    if not (folder.out / _MODEL).is_dir():
        raise CodeFailed("code", "it ended without a model; call context.save, or write into the folder HEADRACE_MODEL")
    try:
        collect(folder.out, _MODEL, to)
    except Foreign as error:
        raise CodeFailed("answer", f"what it saved cannot be taken: {error}") from error
    return to


FRAMEWORK = Code()
