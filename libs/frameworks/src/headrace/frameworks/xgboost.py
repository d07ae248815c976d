"""XGBoost: its scikit-learn estimators, saved as XGBoost's own JSON with the preparation beside it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)

from headrace.frameworks.base import About, Fitted, Progress, Recipe, Saved
from headrace.frameworks.catalog import CATALOG
from headrace.frameworks.errors import ExportRefused
from headrace.frameworks.estimators import build_estimator, by_own_names, listed_estimator
from headrace.frameworks.fitting import PipelinePredictor, fit_pipeline, save_model
from headrace.frameworks.inner import Rows
from headrace.frameworks.preparation import for_trees
from headrace.runtimes import BadModel, read_description
from headrace.runtimes.native import classifies
from headrace.runtimes.xgboost import CATEGORY, Xgboost, answering

_ALLOWED = ("xgboost",)
_LARGEST = float(np.finfo(np.float32).max)
_NUMBER = "q"  # of XGBoost's types of features


def _trees_alone(scope: Any, operator: Any, container: Any) -> None:
    """The converter, for what it knows: it would leave out the weights of `dart`, and the sets of categories."""
    booster = operator.raw_operator.get_booster()
    if operator.raw_operator.get_params().get("booster") == "dart":
        raise ExportRefused("booster: dart weighs its trees, which the converter to ONNX does not know")
    if CATEGORY in (booster.feature_types or ()):
        raise ExportRefused("enable_categorical splits by sets of categories, which ONNX does not know")
    convert_xgboost(scope, operator, container)


update_registered_converter(
    xgboost.XGBClassifier,
    "HeadraceXGBClassifier",
    calculate_linear_classifier_output_shapes,
    _trees_alone,
    options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
)
update_registered_converter(
    xgboost.XGBRegressor, "HeadraceXGBRegressor", calculate_linear_regressor_output_shapes, _trees_alone
)


class _Told(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """A word after every tree."""

    def __init__(self, told: Callable[[int], None]) -> None:
        super().__init__()
        self._told = told

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        self._told(epoch + 1)
        return False


class XGBoost:
    """Fits XGBClassifier and XGBRegressor, and tells of every tree."""

    name = "xgboost"

    def check(self, estimator: str, params: Mapping[str, Any]) -> None:
        """Raise BadEstimator where the estimator or a parameter could never be fitted."""
        _build(estimator, params, 0)

    def fit(self, frame: pd.DataFrame, recipe: Recipe, progress: Progress) -> Fitted:
        """Fit with a word after every tree."""
        total = int(_build(recipe.estimator, recipe.params, 0).get_params()["n_estimators"] or 100)
        fitted = fit_pipeline(
            frame,
            recipe,
            lambda params: _build(recipe.estimator, params, recipe.seed),
            lambda _: for_trees(keeps_nan=True),
            partial(_learn, recipe, lambda step: progress(step, total)),
            "monotone_constraints",
        )
        progress(total, total)  # stopped early, it is done all the same
        return replace(fitted, splits=_splits(fitted.estimator.get_booster()))

    def save(self, fitted: Fitted, folder: Path, about: About) -> Saved:
        """Write `model.json` and the rest of the directory."""
        fitted.estimator.get_booster().save_model(folder / Xgboost.file)
        flavor = {"xgboost": {"data": Xgboost.file, "model_format": "json", "model_class": fitted.recipe.estimator}}
        packages = [CATALOG[self.name].distribution, "onnxmltools", "scikit-learn"]
        return save_model(self.name, fitted, folder, about, flavor, packages, native=Xgboost.name)

    def load(self, folder: Path) -> PipelinePredictor:
        """Read booster and preparation back."""
        signature = read_description(folder).signature
        try:
            own = answering(xgboost.Booster(model_file=folder / Xgboost.file), classifies(signature))
            return PipelinePredictor.over(folder, own)
        except (OSError, ValueError, xgboost.core.XGBoostError) as error:
            raise BadModel(f"{folder.name}/{Xgboost.file} cannot be loaded: {error}") from error


def _build(path: str, params: Mapping[str, Any], seed: int) -> Any:
    listed = listed_estimator(path, XGBoost.name)
    return build_estimator(path, by_own_names(params, listed), seed, _ALLOWED, listed.params if listed else ())


def _learn(
    recipe: Recipe,
    told: Callable[[int], None],
    estimator: Any,
    rows: Rows,
    watched: Rows | None,
    params: Mapping[str, Any],
) -> None:
    """Fit, watched on rows that are not learned from where early stopping is asked for; keeps the best trees alone."""
    estimator.set_params(callbacks=[_Told(told)])
    if isinstance(constraints := params.get("monotone_constraints"), list):
        estimator.set_params(monotone_constraints=tuple(constraints))  # XGBoost takes no list
    if params.get("enable_categorical"):
        kinds = [CATEGORY if place in rows.codes else _NUMBER for place in range(rows.seen.shape[1])]
        estimator.set_params(feature_types=kinds, enable_categorical=True)
    more: dict[str, Any] = {}
    if watched is not None and recipe.early_stopping is not None:
        estimator.set_params(early_stopping_rounds=recipe.early_stopping.rounds)
        more["eval_set"] = [(_finite(watched.seen), watched.truth)]
        more["sample_weight_eval_set"] = None if watched.weights is None else [watched.weights]
    estimator.fit(_finite(rows.seen), rows.truth, sample_weight=rows.weights, verbose=False, **more)
    if watched is not None:
        estimator._Booster = estimator.get_booster()[: estimator.best_iteration + 1]
    estimator.set_params(callbacks=None, early_stopping_rounds=None)


def _finite(seen: np.ndarray) -> np.ndarray:
    """XGBoost learns from no infinite number; the largest one goes the same way at every split."""
    return np.asarray(np.clip(seen, -_LARGEST, _LARGEST))


def _splits(booster: Any) -> list[tuple[int, float]]:
    """(feature, threshold) of the splits by numbers."""
    trees = booster.trees_to_dataframe()
    inner = trees[(trees["Feature"] != "Leaf") & trees["Split"].notna()]
    found = zip(inner["Feature"], inner["Split"], strict=True)
    return [(int(name.removeprefix("f")), float(split)) for name, split in found]


FRAMEWORK = XGBoost()
