"""What every framework that fits scikit-learn pipelines shares: fit, save around its own file, predict."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from headrace.contracts import Column, Signature, Tensor
from headrace.contracts.labels import match_label, named_labels
from headrace.frameworks.base import About, Fitted, OnTheWay, Recipe, Saved
from headrace.frameworks.errors import BadEstimator, BadTrainingData, ExportRefused
from headrace.frameworks.estimators import kind_of
from headrace.frameworks.export import answers, export, export_outputs, largest_difference
from headrace.frameworks.inner import Judged, Rows, watched_rows
from headrace.frameworks.levels import Levels, params_of_levels, side_by_side
from headrace.frameworks.named_columns import by_column
from headrace.frameworks.preparation import About as Facts
from headrace.frameworks.preparation import (
    Made,
    Prepared,
    Preparing,
    Usual,
    fit_preparation,
    learned_from,
    prepare,
    target_of,
)
from headrace.frameworks.signature import signature_of
from headrace.frameworks.weights import weights_of
from headrace.runtimes import Columns, Description, read_description, refuse_pickle, runtime_named, write_directory
from headrace.runtimes.directory import GRAPH, onnx_flavor
from headrace.runtimes.native import OUTPUTS, both_classes, classifies
from headrace.runtimes.onnx import OnnxModel
from headrace.runtimes.proof import write_proof
from headrace.runtimes.values import TIME_FORMAT
from headrace.tasks import NUMPY, BadTarget, Target, group_codes, task_named
from headrace.tasks import target_of as target_of_signature

SAMPLE_ROWS = 2000  # on which export and pipeline are compared: 20 ms, and far more rows than a tree has leaves
_EXAMPLE_ROWS = 3
NO_LEVELS: Levels = MappingProxyType({})
_PROOF_ROWS = 20  # real rows with answers in every directory: enough to notice another library, few to give away
GRAPHS = "onnx"  # the runtime of graphs
_COMMON_PACKAGES = ("numpy", "onnx", "onnxruntime", "pandas", "skl2onnx")


Learn = Callable[[Any, Rows, Rows | None, Mapping[str, Any]], None]
"""Fits an estimator in place on some rows, watched on others or on none; told the parameters in its own terms."""


def plainly(estimator: Any, rows: Rows, watched: Rows | None, params: Mapping[str, Any]) -> None:
    """Fit an estimator of scikit-learn's kind; raises BadEstimator where it cannot do what is asked for."""
    if watched is not None:
        raise BadEstimator(f"{type(estimator).__name__} does not stop by rows that are kept apart from its fit")
    estimator.fit(rows.seen, rows.truth, **weights_for(estimator, rows))


def weights_for(estimator: Any, rows: Rows) -> dict[str, np.ndarray]:
    """The weights as `fit` takes them; none where every row counts the same."""
    if rows.weights is None:
        return {}
    if "sample_weight" not in inspect.signature(estimator.fit).parameters:
        raise BadEstimator(f"{type(estimator).__name__} takes no weights; every row counts the same for it")
    return {"sample_weight": rows.weights}


def fit_pipeline(
    frame: pd.DataFrame,
    recipe: Recipe,
    build: Callable[[Mapping[str, Any]], Any],
    usual: Callable[[Any], Usual],
    learn: Learn = plainly,
    monotone: str | None = None,
    levels: Levels = NO_LEVELS,
) -> Fitted:
    """Fit preparation and estimator on the features and the target of a frame.

    `build` makes the estimator of its parameters; `usual` says what an estimator needs before it where nothing is
    declared; `learn` fits it; `monotone` is its parameter for monotone constraints; `levels` are the estimators that
    learn quantiles.
    """
    if missing := [name for name in recipe.names if name not in frame.columns]:
        raise BadTrainingData(f"features {', '.join(missing)} are no columns of the data: {', '.join(frame.columns)}")
    recipe = replace(recipe, features=learned_from(recipe.features, recipe.preparation))
    estimator = build(recipe.params)
    values = target_of(frame, recipe)
    target = _learned(recipe, values, estimator)
    rows = prepare({name: frame[name] for name in recipe.names}, recipe.features)
    truth = target.encode(values)
    if target.labels:
        truth = truth.astype(np.int64)  # classifiers learn codes, and give them back
    watched = watched_rows(frame, recipe.early_stopping, recipe.seed)
    facts = Facts(truth[~watched], len(target.labels), recipe.seed)
    ready = fit_preparation(rows[~watched], recipe.features, recipe.preparation, usual(estimator), facts)
    params = _translated(recipe, target, ready.made, monotone)
    fits = _params_of_fits(recipe, params, target, levels)
    estimators = [build(each) for each in fits]
    codes = tuple(at for at, each in enumerate(ready.made) if each.code)
    told = Rows(np.empty(0), truth, weights_of(frame, recipe, target, truth), _groups(frame, target), codes)
    learned, kept = _divided(ready, rows, told, watched)
    if recipe.on_the_way is not None and len(estimators) == 1:  # of several each knows a part of the answer
        learned = replace(learned, judged=_judged(recipe, recipe.on_the_way, ready, target))
    for each, own in zip(estimators, fits, strict=True):
        learn(each, learned, kept, own)
    return Fitted(
        recipe=recipe,
        pipeline=Pipeline([("preparation", ready.prepared), ("estimator", side_by_side(estimators))]),
        target=target,
        sample=spread(rows, SAMPLE_ROWS),
        origins=[each.column if each.number else None for each in ready.made],
        preparation=ready.described,
    )


def _judged(recipe: Recipe, way: OnTheWay, ready: Preparing, target: Target) -> Judged:
    """The rows that judge the fit on its way as the estimator sees them, and its answers in the outputs of the task."""
    asked = prepare({name: way.rows[name] for name in recipe.names}, recipe.features)

    def tell(done: int, of: int, raw: np.ndarray) -> None:
        raw = np.asarray(raw, dtype=np.float64)
        whole = both_classes(raw) if target.labels else raw
        way.judge(done, of, target, target.answer(whole[:, None] if whole.ndim == 1 else whole, NUMPY))

    return Judged(ready.prepared.transform(asked), way.after, tell)


def _params_of_fits(recipe: Recipe, params: dict[str, Any], target: Target, levels: Levels) -> list[dict[str, Any]]:
    """The parameters of each fit: one for each level of the target, else one in all."""
    if not target.levels:
        return [params]
    at = params_of_levels(recipe.estimator, params, levels)
    return [at(level) for level in target.levels]


def _groups(frame: pd.DataFrame, target: Target) -> np.ndarray | None:
    """The group of each row; None where rows stand for themselves."""
    if target.grouped_by is None:
        return None
    if target.grouped_by not in frame.columns:
        raise BadTrainingData(f"{target.grouped_by!r} is no column of the data: {', '.join(map(str, frame.columns))}")
    named = frame[target.grouped_by].astype(object)
    return group_codes(named.where(named.notna(), None))


def _divided(ready: Preparing, rows: pd.DataFrame, told: Rows, watched: np.ndarray) -> tuple[Rows, Rows | None]:
    """The rows that are learned, on which the preparation was fitted, and those that are watched.

    `told` has what is known of the rows beside what the estimator sees.
    """
    learned = told.at(~watched, ready.rows)
    return learned, told.at(watched, ready.prepared.transform(rows[watched])) if watched.any() else None


def _learned(recipe: Recipe, values: np.ndarray, estimator: Any) -> Target:
    """What can be true, by the task; raises BadEstimator where the estimator is for another one."""
    task = task_named(recipe.task)
    if kind_of(estimator) not in task.kinds:
        raise BadEstimator(f"{recipe.estimator} is no {' or '.join(task.kinds)}, and task {task.name} needs one")
    try:
        return task.learn(values, recipe.target, recipe.positive, recipe.options)
    except BadTarget as error:
        raise BadTrainingData(str(error)) from error


def _translated(recipe: Recipe, target: Target, made: Sequence[Made], monotone: str | None) -> dict[str, Any]:
    """The parameters in the estimator's terms: its own order of the columns, and codes for labels."""
    asked = dict(recipe.params)
    if recipe.monotone:
        if monotone is None:
            raise BadEstimator(f"{recipe.estimator} has no monotone constraints")
        asked[monotone] = recipe.monotone
    params = by_column(asked, recipe.names, [each.column for each in made])
    weights = params.get("class_weight")
    if target.labels and isinstance(weights, Mapping):
        params["class_weight"] = {_code(label, target): weight for label, weight in weights.items()}
    return params


def _code(label: Any, target: Target) -> int:
    code = match_label(label, target.labels)
    if code is None:
        raise BadEstimator(f"class_weight names {label!r}; the labels of the data are {named_labels(target.labels)}")
    return code


def save_model(
    framework: str,
    fitted: Fitted,
    folder: Path,
    about: About,
    flavors: Mapping[str, Any],
    packages: Sequence[str],
    native: str | None = None,
) -> Saved:
    """Write what serves, signature and descriptions beside the framework's own file; check that nothing is pickle.

    A graph serves where it answers as the fitted model does; else the runtime `native`, which reads the own file.
    """
    fitted.pipeline[0].save(folder)
    served = _served(fitted, signature_of(fitted.recipe, fitted.target), folder, native)
    saved = replace(served, preparation=fitted.preparation)
    write_directory(
        folder,
        Description(saved.runtime, saved.signature, framework, preparation=fitted.preparation),
        about={"run": about.run, "created": about.created.isoformat()},
        flavors={**flavors, **(onnx_flavor() if saved.runtime == GRAPHS else {})},
        packages=sorted([*_COMMON_PACKAGES, *packages]),
        example={name: _json(fitted.sample[name].head(_EXAMPLE_ROWS)) for name in fitted.recipe.names},
    )
    _prove(fitted, folder)
    refuse_pickle(folder)
    return saved


def _served(fitted: Fitted, signature: Signature, folder: Path, native: str | None) -> Saved:
    """Write what answers, and how far it is from the fitted model."""
    try:
        graph = export(fitted)
        difference = largest_difference(fitted, OnnxModel(graph, signature))
    except ExportRefused as refused:
        if native is None:
            raise
        (folder / OUTPUTS).write_bytes(export_outputs(fitted.target))
        model = runtime_named(native).load(folder, signature)
        difference = largest_difference(fitted, model, f"the runtime {native}")
        return Saved(signature, difference, native, f"the model is answered by {native} itself: {refused}")
    (folder / GRAPH).write_bytes(graph)
    return Saved(signature, difference)


def _prove(fitted: Fitted, folder: Path) -> None:
    """Keep some rows with the fitted model's own answers, for whoever loads the directory."""
    rows = spread(fitted.sample, _PROOF_ROWS)
    own = answers(fitted.pipeline, rows, fitted.target)
    sure = ~fitted.target.unsure(own) & _sayable(rows)
    kept = {name: _json(rows[name][sure]) for name in fitted.recipe.names}
    write_proof(folder, kept, {name: values[sure] for name, values in own.items()})


def _sayable(rows: pd.DataFrame) -> np.ndarray:
    """The rows that JSON can hold: those without an infinite number."""
    return ~np.asarray(rows.isin([np.inf, -np.inf]).any(axis=1))


class PipelinePredictor:
    """A pipeline that answers as an ONNX graph does."""

    def __init__(self, pipeline: Any, signature: Signature) -> None:
        self._pipeline = pipeline
        self._features = [_column(tensor) for tensor in signature.inputs]
        self.target = target_of_signature(signature)
        self.signature = signature

    @classmethod
    def at(cls, folder: Path, pipeline: Any) -> "PipelinePredictor":
        """A predictor with the interface that a model directory promises."""
        return cls(pipeline, read_description(folder).signature)

    @classmethod
    def of(cls, fitted: Fitted) -> "PipelinePredictor":
        """What was fitted, before anything of it is saved."""
        return cls(fitted.pipeline, signature_of(fitted.recipe, fitted.target))

    @classmethod
    def over(cls, folder: Path, own: Callable[[np.ndarray], np.ndarray]) -> "PipelinePredictor":
        """The same for a library's own answer to the matrix that the preparation beside it makes."""
        signature = read_description(folder).signature
        return cls((_Classifying if classifies(signature) else _Regressing)(Prepared.read(folder), own), signature)

    def predict(self, columns: Columns) -> dict[str, np.ndarray]:
        """The outputs of the task, one entry a row."""
        return answers(self._pipeline, prepare(columns, self._features), self.target)


def spread(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """At most so many rows, evenly from the whole frame."""
    return frame if len(frame) <= rows else frame.iloc[np.linspace(0, len(frame) - 1, rows).astype(int)]


def _json(values: pd.Series) -> list[Any]:
    return [None if value != value else _plain(value) for value in values.tolist()]


def _plain(value: Any) -> Any:
    """A time as a request carries it: without an offset it is in UTC."""
    return value.isoformat() if isinstance(value, datetime) else value


def _column(tensor: Tensor) -> Column:
    kind = "timestamp" if tensor.format == TIME_FORMAT else "string" if tensor.datatype == "BYTES" else "number"
    return Column(name=tensor.name, type=kind, nullable=True)


@dataclass(frozen=True)
class _Regressing:
    """A library's own answer behind its preparation, with the calls of a pipeline."""

    prepared: Prepared
    own: Callable[[np.ndarray], np.ndarray]

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        return self.own(self.prepared.transform(rows).astype(np.float32))


class _Classifying(_Regressing):
    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        return both_classes(self.predict(rows))
