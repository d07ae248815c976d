"""The framework: fits tabular networks and tells of every epoch, saves them as safetensors beside the graph."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headrace.contracts.estimators import params_problems
from headrace.frameworks.base import About, Fitted, Progress, Recipe, Saved
from headrace.frameworks.errors import BadEstimator
from headrace.frameworks.estimators import accepted, by_own_names, listed_estimator, unknown
from headrace.frameworks.fitting import PipelinePredictor, fit_pipeline, save_model
from headrace.frameworks.inner import Rows
from headrace.frameworks.levels import Levels, inner
from headrace.frameworks.preparation import for_embeddings
from headrace.frameworks.torch.estimators import QUANTILE, TabularClassifier, TabularRegressor
from headrace.frameworks.torch.files import FILE, read, write
from headrace.frameworks.torch.graph import register
from headrace.frameworks.torch.network import Network
from headrace.runtimes import read_description
from headrace.tasks import target_of, task_named

_PACKAGE = "headrace.frameworks.torch"
_CLASSES = {f"{_PACKAGE}.{each.__name__}": each for each in (TabularClassifier, TabularRegressor)}
LEVELS: Levels = {f"{_PACKAGE}.TabularRegressor": lambda level: {"loss": QUANTILE, "quantile": level}}
"""The estimator that learns quantiles, and how it is told which."""

register()


class Torch:
    """Fits TabularClassifier and TabularRegressor, and tells of every epoch."""

    name = "torch"

    def check(self, estimator: str, params: Mapping[str, Any]) -> None:
        """Raise BadEstimator where the estimator or a parameter could never be fitted."""
        _build(estimator, params, 0).check()

    def fit(self, frame: pd.DataFrame, recipe: Recipe, progress: Progress) -> Fitted:
        """Fit with a word after every epoch."""
        fits = len(task_named(recipe.task).bare(recipe.options).levels) or 1
        total = int(_build(recipe.estimator, recipe.params, 0).epochs) * fits
        done = itertools.count(1)
        fitted = fit_pipeline(
            frame,
            recipe,
            lambda params: _build(recipe.estimator, params, recipe.seed),
            lambda _: for_embeddings(),
            partial(_learn, recipe, lambda _: progress(next(done), total)),
            levels=LEVELS,
        )
        progress(total, total)  # stopped early, it is done all the same
        return fitted

    def save(self, fitted: Fitted, folder: Path, about: About) -> Saved:
        """Write `model.safetensors` and the rest of the directory."""
        write([each.network_ for each in inner(fitted.estimator)], folder)
        flavor = {"torch": {"data": FILE, "model_class": fitted.recipe.estimator}}
        return save_model(self.name, fitted, folder, about, flavor, ["safetensors", "scikit-learn", "torch"])

    def load(self, folder: Path) -> PipelinePredictor:
        """Read the networks back."""
        networks = read(folder)
        return PipelinePredictor.over(
            folder, _answering(networks, bool(target_of(read_description(folder).signature).labels))
        )


def _build(path: str, params: Mapping[str, Any], seed: int) -> Any:
    """The estimator with its parameters, which are judged here too where the catalogue is known."""
    if path not in _CLASSES:
        raise BadEstimator(f"estimator {path!r} is refused: only these may be named: {', '.join(_CLASSES)}")
    listed = listed_estimator(path, Torch.name)
    own = by_own_names(params, listed)
    known = accepted(_CLASSES[path])
    if strangers := [name for name in own if name not in known]:
        raise BadEstimator(unknown(f"{path} has no parameter", strangers[0], known))
    if listed and (problem := next(params_problems(path, listed, params), None)):
        raise BadEstimator(str(problem))
    return _CLASSES[path](**{"random_state": seed, **own})


def _learn(
    recipe: Recipe,
    told: Callable[[int], None],
    estimator: Any,
    rows: Rows,
    watched: Rows | None,
    params: Mapping[str, Any],
) -> None:
    """Fit, watched on rows that are not learned from where early stopping is asked for."""
    rounds = recipe.early_stopping.rounds if recipe.early_stopping else 0
    estimator.fit(rows, watched, rounds, told)


def _answering(networks: Sequence[Network], classifying: bool) -> Callable[[np.ndarray], np.ndarray]:
    """What the networks say of prepared rows, side by side."""
    estimators = [(TabularClassifier if classifying else TabularRegressor)() for _ in networks]
    for estimator, network in zip(estimators, networks, strict=True):
        estimator.take(network)

    def answer(rows: np.ndarray) -> np.ndarray:
        if classifying:
            return np.asarray(estimators[0].predict_proba(rows))
        found = [each.predict(rows) for each in estimators]
        return found[0] if len(found) == 1 else np.column_stack(found)

    return answer


FRAMEWORK = Torch()
