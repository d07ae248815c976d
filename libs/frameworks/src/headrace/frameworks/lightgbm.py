"""LightGBM: its scikit-learn estimators, saved as LightGBM's own text with the preparation beside it."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
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
from headrace.frameworks.errors import BadEstimator
from headrace.frameworks.estimators import build_estimator, by_own_names, listed_estimator
from headrace.frameworks.fitting import PipelinePredictor, fit_pipeline, save_model
from headrace.frameworks.inner import Judged, Rows
from headrace.frameworks.levels import Levels, inner
from headrace.frameworks.named_columns import SETS
from headrace.frameworks.preparation import for_trees
from headrace.frameworks.thresholds import down
from headrace.runtimes import BadModel, read_description
from headrace.runtimes.native import both_classes
from headrace.tasks import target_of, task_named

Params = Mapping[str, Any]

_ALLOWED = ("lightgbm",)
_MODEL = "model.lgb.txt"
_RANKER = "lightgbm.LGBMRanker"
LEVELS: Levels = {"lightgbm.LGBMRegressor": lambda level: {"objective": "quantile", "alpha": level}}
"""The estimator that learns quantiles, and how it is told which."""
_ZERO = (
    1e-34  # LightGBM splits around zero at 1e-35, a number that no data hold and that its text does not keep exactly
)
_NOT_OURS = frozenset(
    [
        "config",
        "task",
        "data",
        "valid",
        "output_model",
        "input_model",
        "output_result",
        "convert_model",
        "convert_model_language",
        "save_binary",
        "snapshot_freq",
        "forcedsplits_filename",
        "forcedbins_filename",
        "parser_config_file",
        "header",
        "two_round",
        "label_column",
        "weight_column",
        "group_column",
        "ignore_column",
        "precise_float_parser",
        "pre_partition",
        "local_listen_port",
        "time_out",
        "machine_list_filename",
        "machines",
        "num_machines",
        "tree_learner",
        "num_class",
    ]
)
"""What concerns files, other machines or other tasks: a run has none of them."""

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
update_registered_converter(
    lightgbm.LGBMRanker,
    "LightGbmLGBMRanker",
    calculate_linear_regressor_output_shapes,
    convert_lightgbm,
    options={"split": None},
)


class Lightgbm:
    """Fits LGBMClassifier, LGBMRegressor and LGBMRanker, and tells of every tree."""

    name = "lightgbm"

    def check(self, estimator: str, params: Mapping[str, Any]) -> None:
        """Raise BadEstimator where the estimator or a parameter could never be fitted."""
        build_estimator(estimator, params, 0, _ALLOWED, documented())

    def fit(self, frame: pd.DataFrame, recipe: Recipe, progress: Progress) -> Fitted:
        """Fit with a word after every tree."""
        total = int(_build(recipe, recipe.params).get_params()["n_estimators"]) * _fits(recipe)
        done = itertools.count(1)
        fitted = fit_pipeline(
            frame,
            recipe,
            lambda params: _build(recipe, params),
            lambda _: for_trees(keeps_nan=True),
            partial(_learn, recipe, lambda _: progress(next(done), total)),
            "monotone_constraints",
            LEVELS,
        )
        progress(total, total)  # stopped early, it is done all the same
        return replace(fitted, splits=[split for each in inner(fitted.estimator) for split in _make_exact(each)])

    def save(self, fitted: Fitted, folder: Path, about: About) -> Saved:
        """Write `model.lgb.txt` (one more file for each further level) and the rest of the directory."""
        texts = [each.booster_.model_to_string() for each in inner(fitted.estimator)]
        for name, text in zip(_files(len(texts)), texts, strict=True):
            (folder / name).write_text(text, encoding="utf-8")
        flavor = {"lightgbm": {"data": _MODEL, "model_class": fitted.recipe.estimator}}
        packages = ["lightgbm", "onnxmltools", "scikit-learn"]
        native = "lightgbm" if len(texts) == 1 else None  # the runtime reads one booster
        return save_model(self.name, fitted, folder, about, flavor, packages, native=native)

    def load(self, folder: Path) -> PipelinePredictor:
        """Read the text back."""
        try:
            target = target_of(read_description(folder).signature)
            texts = [(folder / name).read_text(encoding="utf-8") for name in _files(len(target.levels) or 1)]
            boosters = [lightgbm.Booster(model_str=text) for text in texts]
            return PipelinePredictor.over(folder, _answering(boosters, bool(target.labels)))
        except (OSError, ValueError, lightgbm.basic.LightGBMError) as error:
            raise BadModel(f"{folder.name}/{_MODEL} cannot be loaded: {error}") from error


def _build(recipe: Recipe, params: Mapping[str, Any]) -> Any:
    quiet = {} if {"verbose", "verbosity"} & params.keys() else {"verbosity": -1}
    listed = listed_estimator(recipe.estimator, Lightgbm.name)
    # by own names: the defaults in the class's signature would else go before an alias (`eta`)
    kept = by_own_names({name: value for name, value in params.items() if name not in SETS}, listed)
    return build_estimator(recipe.estimator, {**quiet, **kept}, recipe.seed, _ALLOWED, documented())


def _learn(
    recipe: Recipe, told: Callable[[Any], None], estimator: Any, rows: Rows, watched: Rows | None, params: Params
) -> None:
    """Fit, watched on rows that are not learned from where early stopping is asked for."""
    callbacks: list[Callable[[Any], None]] = [told]
    more: dict[str, Any] = {}
    if rows.judged is not None:
        callbacks.append(partial(_judge, rows.judged))
    if recipe.estimator == _RANKER:
        if watched is not None:
            raise BadEstimator(f"{recipe.estimator} does not stop by rows that are kept apart from its fit")
        rows, more["group"] = rows.in_groups()
    if watched is not None and recipe.early_stopping is not None:
        callbacks.append(lightgbm.early_stopping(recipe.early_stopping.rounds, verbose=False))
        more["eval_X"], more["eval_y"] = watched.seen, watched.truth
        more["eval_sample_weight"] = None if watched.weights is None else [watched.weights]
    estimator.fit(
        rows.seen,
        rows.truth,
        sample_weight=rows.weights,
        callbacks=callbacks,
        categorical_feature=_categorical(params),
        **more,
    )


def _judge(judged: Judged, env: Any) -> None:
    """Ask the trees so far; the whole fit is judged when it is over, and not here."""
    done, of = env.iteration + 1, env.end_iteration
    if done < of and done in judged.after(of):
        judged.tell(done, of, np.asarray(env.model.predict(judged.seen)))


def _categorical(params: Mapping[str, Any]) -> Any:
    """The columns that are categories: of all parameters, LightGBM takes this one in `fit` alone."""
    return next((value for name, value in params.items() if name in SETS), "auto")


@cache
def documented() -> frozenset[str]:
    """Every parameter and alias that LightGBM documents, but those that name files, machines or a task."""
    names = lightgbm.basic._ConfigAliases._get_all_param_aliases()
    return frozenset(name for key, aliases in names.items() if key not in _NOT_OURS for name in aliases)


def _make_exact(estimator: Any) -> list[tuple[int, float]]:
    """Round the thresholds of a fitted booster down to float32; answers with (feature, threshold) of its splits."""
    text, splits = with_thresholds(estimator.booster_.model_to_string(), down)
    estimator._Booster = lightgbm.Booster(model_str=text)
    return splits


def with_thresholds(text: str, rounded: Callable[[np.ndarray], np.ndarray]) -> tuple[str, list[tuple[int, float]]]:
    """A booster's text with thresholds that float32 holds, and (feature, threshold) of its splits."""
    lines: list[str] = []
    splits: list[tuple[int, float]] = []
    features: list[int] = []
    for line in text.splitlines():
        name, _, values = line.partition("=")
        if name == "tree_sizes":
            continue  # in bytes, of the text as it was; LightGBM finds the trees without
        if name == "split_feature":
            features = [int(value) for value in values.split()]
        if name == "threshold":
            exact = rounded(np.array(values.split(), dtype=np.float64))
            pairs = zip(features, exact.tolist(), strict=True)
            splits += [(feature, threshold) for feature, threshold in pairs if abs(threshold) > _ZERO]
            line = f"threshold={' '.join(map(repr, exact.tolist()))}"
        lines.append(line)
    return "\n".join(lines) + "\n", splits


def _answering(boosters: Sequence[Any], classifies: bool) -> Callable[[np.ndarray], np.ndarray]:
    """What the boosters say of prepared rows, side by side."""

    def answer(rows: np.ndarray) -> np.ndarray:
        found = [np.asarray(booster.predict(rows)) for booster in boosters]
        whole = found[0] if len(found) == 1 else np.column_stack(found)
        return both_classes(whole) if classifies else whole

    return answer


def _files(boosters: int) -> list[str]:
    """Where each booster lies."""
    return [_MODEL, *(f"model.{place}.lgb.txt" for place in range(1, boosters))]


def _fits(recipe: Recipe) -> int:
    """How many boosters the recipe is fitted with."""
    return len(task_named(recipe.task).bare(recipe.options).levels) or 1


FRAMEWORK = Lightgbm()
