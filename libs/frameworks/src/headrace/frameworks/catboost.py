"""CatBoost: its estimators, saved in CatBoost's own format with the preparation beside it; text is categories."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
from catboost.utils import convert_to_onnx_object
from onnx import helper
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from headrace.frameworks.base import About, Fitted, Progress, Recipe, Saved
from headrace.frameworks.errors import BadEstimator, ExportRefused
from headrace.frameworks.estimators import by_own_names, listed_estimator, unknown
from headrace.frameworks.fitting import PipelinePredictor, fit_pipeline, save_model
from headrace.frameworks.inner import Rows
from headrace.frameworks.preparation import for_trees
from headrace.runtimes import BadModel, read_description
from headrace.runtimes.catboost import Catboost, answering, features

_CLASSES = {"catboost.CatBoostClassifier": "classifier", "catboost.CatBoostRegressor": "regressor"}
_BEYOND = 1e38  # borders above are not of the data: CatBoost tells missing values apart by them
_USUAL_TREES = 1000  # CatBoost's own number
_EXP_LOSSES = ("Poisson", "Tweedie")  # whose answer is the exponential of what the trees say


class _Behind(BaseEstimator):  # type: ignore[misc]
    """A CatBoost model that takes the prepared matrix: numbers first, the codes of categories as text."""

    def __init__(self, model: Any = None, categories: tuple[int, ...] = ()) -> None:
        self.model = model
        self.categories = categories

    def fit(self, seen: np.ndarray, truth: np.ndarray, sample_weight: np.ndarray | None = None, **more: Any) -> Any:
        """Fit the model in place; `more` is what CatBoost's own `fit` takes."""
        self.model.fit(self.pool(Rows(seen, truth, sample_weight)), **more)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return bool(self.model.is_fitted())

    def pool(self, rows: Rows) -> Any:
        """Rows as CatBoost learns them."""
        return catboost.Pool(features(rows.seen, list(self.categories)), rows.truth, weight=rows.weights)


class Classifying(ClassifierMixin, _Behind):  # type: ignore[misc]
    """Gives probabilities."""

    @property
    def classes_(self) -> np.ndarray:
        """The codes, in the order of the probabilities."""
        return np.asarray(self.model.classes_)

    def predict_proba(self, matrix: Any) -> np.ndarray:
        """[rows, classes]."""
        return np.asarray(answering(self.model)(np.asarray(matrix)))


class Regressing(RegressorMixin, _Behind):  # type: ignore[misc]
    """Gives numbers."""

    def predict(self, matrix: Any) -> np.ndarray:
        """[rows]."""
        return np.asarray(answering(self.model)(np.asarray(matrix)))


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """CatBoost's own export of trees, as the one node that it is."""
    behind = operator.raw_operator
    loss = str(behind.model.get_all_params().get("loss_function", ""))
    if behind.model.get_cat_feature_indices():
        raise ExportRefused("CatBoost's statistics of categories have no ONNX graph")
    if loss.startswith(_EXP_LOSSES):
        raise ExportRefused(f"CatBoost exports {loss} without its exponential")
    graph = convert_to_onnx_object(behind.model).graph
    node = next(each for each in graph.node if each.op_type.startswith("TreeEnsemble"))
    told = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    outputs = [output.full_name for output in operator.outputs]
    container.add_node(
        node.op_type, [operator.inputs[0].full_name], outputs, op_domain="ai.onnx.ml", op_version=1, **told
    )


update_registered_converter(
    Classifying,
    "HeadraceCatBoostClassifier",
    calculate_linear_classifier_output_shapes,
    _convert,
    options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
)
update_registered_converter(Regressing, "HeadraceCatBoostRegressor", calculate_linear_regressor_output_shapes, _convert)


class CatBoost:
    """Fits CatBoostClassifier and CatBoostRegressor, and tells of every tree."""

    name = "catboost"

    def check(self, estimator: str, params: Mapping[str, Any]) -> None:
        """Raise BadEstimator where the estimator or a parameter could never be fitted."""
        _build(estimator, params, 0)

    def fit(self, frame: pd.DataFrame, recipe: Recipe, progress: Progress) -> Fitted:
        """Fit with a word after every tree."""
        total = int(_build(recipe.estimator, recipe.params, 0).model.get_param("iterations") or _USUAL_TREES)
        fitted = fit_pipeline(
            frame,
            recipe,
            lambda params: _build(recipe.estimator, params, recipe.seed),
            lambda _: for_trees(keeps_nan=True),
            partial(_learn, recipe, lambda step: progress(step, total)),
            "monotone_constraints",
        )
        progress(total, total)  # stopped early, it is done all the same
        return replace(fitted, splits=_splits(fitted.estimator))

    def save(self, fitted: Fitted, folder: Path, about: About) -> Saved:
        """Write `model.cbm` and the rest of the directory."""
        fitted.estimator.model.save_model(str(folder / Catboost.file))
        flavor = {
            "catboost": {"data": Catboost.file, "save_format": "cbm", "model_type": _short(fitted.recipe.estimator)}
        }
        packages = ["catboost", "scikit-learn"]
        return save_model(self.name, fitted, folder, about, flavor, packages, native=Catboost.name)

    def load(self, folder: Path) -> PipelinePredictor:
        """Read model and preparation back."""
        try:
            own = Catboost().read(folder / Catboost.file, read_description(folder).signature)
            return PipelinePredictor.over(folder, own)
        except (OSError, ValueError, catboost.CatBoostError) as error:
            raise BadModel(f"{folder.name}/{Catboost.file} cannot be loaded: {error}") from error


def _short(path: str) -> str:
    return path.rpartition(".")[2]


def _build(path: str, params: Mapping[str, Any], seed: int) -> Any:
    """The estimator behind its categories; CatBoost checks values when it is made and when it fits."""
    if path not in _CLASSES:
        raise BadEstimator(
            f"estimator {path!r} is refused: only classes of catboost may be named: {', '.join(_CLASSES)}"
        )
    listed = listed_estimator(path, CatBoost.name)
    own = by_own_names({name: value for name, value in params.items() if name != "cat_features"}, listed)
    if listed and (strangers := [name for name in own if name not in listed.params]):
        raise BadEstimator(unknown(f"{path} has no parameter", strangers[0], sorted(listed.params)))
    usual = {"random_seed": seed, "allow_writing_files": False, "logging_level": "Silent"}
    model = getattr(catboost, _short(path))(**{**usual, **own})
    return (Classifying if _CLASSES[path] == "classifier" else Regressing)(model)


def _learn(
    recipe: Recipe,
    told: Callable[[int], None],
    estimator: Any,
    rows: Rows,
    watched: Rows | None,
    params: Mapping[str, Any],
) -> None:
    """Fit, watched on rows that are not learned from where early stopping is asked for; keeps the best trees alone."""
    estimator.categories = tuple(_categories(params.get("cat_features"), rows.codes))
    if constraints := params.get("monotone_constraints"):
        estimator.model.set_params(monotone_constraints=_in_its_order(constraints, estimator.categories))
    more: dict[str, Any] = {} if watched is None else {"eval_set": estimator.pool(watched), "use_best_model": True}
    if watched is not None and recipe.early_stopping is not None:
        more["early_stopping_rounds"] = recipe.early_stopping.rounds
    try:
        estimator.fit(rows.seen, rows.truth, rows.weights, callbacks=[_Told(told)], **more)
    except catboost.CatBoostError as error:
        raise BadEstimator(f"{recipe.estimator}: {' '.join(str(error).split())}") from error


def _categories(named: Any, codes: Sequence[int]) -> Sequence[int]:
    """The places of the columns that are categories: all codes of texts, or those that are named among them."""
    if named is None:
        return codes
    if strange := [place for place in named if place not in codes]:
        raise BadEstimator(
            f"cat_features may name text columns alone, not {len(strange)} of numbers; declare them as strings in the "
            "dataset's contract, and where they are prepared as ordinal"
        )
    return list(named)


def _in_its_order(constraints: Any, categories: tuple[int, ...]) -> list[int]:
    """CatBoost sees numbers first and categories behind them."""
    given = list(constraints)
    return [given[place] for place in range(len(given)) if place not in categories] + [given[p] for p in categories]


class _Told:
    """A word after every tree."""

    def __init__(self, told: Callable[[int], None]) -> None:
        self._told = told

    def after_iteration(self, info: Any) -> bool:
        """CatBoost goes on."""
        self._told(info.iteration)
        return True


def _splits(estimator: Any) -> list[tuple[int, float]]:
    """(column, threshold) of the splits by numbers."""
    numbers = [place for place in range(estimator.model.n_features_in_) if place not in estimator.categories]
    found = estimator.model.get_borders()
    borders = [(place, float(border)) for place, each in found.items() for border in each if place < len(numbers)]
    return [(numbers[place], border) for place, border in borders if abs(border) < _BEYOND]


FRAMEWORK = CatBoost()
