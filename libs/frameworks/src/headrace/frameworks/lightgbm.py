"""LightGBM: its scikit-learn estimators, saved as LightGBM's own text with the categories beside it as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)

from headrace.frameworks.base import About, Fitted, Progress, Recipe, Saved
from headrace.frameworks.errors import BadModel
from headrace.frameworks.estimators import build_estimator
from headrace.frameworks.fitting import PipelinePredictor, fit_pipeline, save_model
from headrace.frameworks.layout import Layout
from headrace.frameworks.preparation import UNKNOWN, for_trees

_ALLOWED = ("lightgbm",)
_MODEL = "model.lgb.txt"
_CATEGORIES = "categories.json"

update_registered_converter(
    lightgbm.LGBMClassifier,
    "LightGbmLGBMClassifier",
    calculate_linear_classifier_output_shapes,
    convert_lightgbm,
    options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
)
update_registered_converter(
    lightgbm.LGBMRegressor,
    "LightGbmLGBMRegressor",
    calculate_linear_regressor_output_shapes,
    convert_lightgbm,
    options={"split": None},
)


class Lightgbm:
    """Fits LGBMClassifier and LGBMRegressor, and tells of every tree."""

    name = "lightgbm"

    def check(self, estimator: str, params: Mapping[str, Any]) -> None:
        """Raise BadEstimator where the estimator or a parameter could never be fitted."""
        build_estimator(estimator, params, 0, _ALLOWED)

    def fit(self, frame: pd.DataFrame, recipe: Recipe, progress: Progress) -> Fitted:
        """Fit with a word after every tree."""
        estimator = build_estimator(recipe.estimator, recipe.params, recipe.seed, _ALLOWED)
        if "verbose" not in recipe.params and "verbosity" not in recipe.params:
            estimator.set_params(verbosity=-1)
        total = int(estimator.get_params()["n_estimators"])
        after_tree = [lambda state: progress(state.iteration + 1, total)]
        return fit_pipeline(frame, recipe, estimator, _preparation, estimator__callbacks=after_tree)

    def save(self, fitted: Fitted, folder: Path, about: About) -> Saved:
        """Write `model.lgb.txt`, `categories.json` and the rest of the directory."""
        booster = fitted.estimator.booster_
        (folder / _MODEL).write_text(booster.model_to_string(), encoding="utf-8")
        labels = fitted.pipeline.classes_.tolist() if fitted.classifies else None
        strings = fitted.pipeline[0].named_transformers_.get("strings")
        categories = [list(known) for known in strings.categories_] if strings is not None else []
        (folder / _CATEGORIES).write_text(json.dumps({"strings": categories, "labels": labels}))
        flavor = {"lightgbm": {"data": _MODEL, "model_class": fitted.recipe.estimator}}
        return save_model(self.name, fitted, folder, about, flavor, ["lightgbm", "onnxmltools", "scikit-learn"])

    def load(self, folder: Path) -> PipelinePredictor:
        """Read the text and the categories back."""
        try:
            booster = lightgbm.Booster(model_str=(folder / _MODEL).read_text(encoding="utf-8"))
            found = json.loads((folder / _CATEGORIES).read_text())
        except (OSError, ValueError, lightgbm.basic.LightGBMError) as error:
            raise BadModel(f"{folder.name}/{_MODEL} cannot be loaded: {error}") from error
        known = [{category: code for code, category in enumerate(values)} for values in found["strings"]]
        return PipelinePredictor.at(folder, _restored(booster, known, found["labels"]))


def _preparation(layout: Layout) -> Any:
    return for_trees(layout, keeps_nan=True)


@dataclass(frozen=True)
class _Regressing:
    """A booster behind its categories; the same calls as the pipeline that was fitted."""

    booster: Any
    categories: Sequence[Mapping[str, int]]

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        numbers = frame.shape[1] - len(self.categories)
        block = frame.iloc[:, :numbers].to_numpy(dtype=np.float64)
        codes = [frame.iloc[:, numbers + i].map(known).fillna(UNKNOWN) for i, known in enumerate(self.categories)]
        return np.asarray(self.booster.predict(np.column_stack([block, *codes])))


@dataclass(frozen=True)
class _Classifying(_Regressing):
    classes_: np.ndarray

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        positive = self.predict(frame)
        return np.column_stack([1 - positive, positive])


def _restored(booster: Any, categories: Sequence[Mapping[str, int]], labels: Sequence[Any] | None) -> _Regressing:
    if labels is None:
        return _Regressing(booster, categories)
    return _Classifying(booster, categories, np.array(labels, dtype=object if isinstance(labels[0], str) else int))


FRAMEWORK = Lightgbm()
