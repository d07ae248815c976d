"""What every framework that fits scikit-learn pipelines shares: fit, save around its own file, predict."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier

from headrace.contracts import Signature
from headrace.contracts.labels import match_label, named_labels
from headrace.frameworks.base import About, Fitted, Recipe, Saved
from headrace.frameworks.errors import BadEstimator, BadTrainingData
from headrace.frameworks.export import answers, export, largest_difference
from headrace.frameworks.named_columns import by_column
from headrace.frameworks.preparation import layout_of, pipeline, prepare, target_of
from headrace.frameworks.signature import signature_of
from headrace.runtimes import Columns, Description, read_description, refuse_pickle, write_directory
from headrace.runtimes.directory import GRAPH, onnx_flavor
from headrace.runtimes.layout import Layout
from headrace.runtimes.onnx import OnnxModel
from headrace.tasks import BadTarget, Target, task_named
from headrace.tasks import target_of as target_of_signature

SAMPLE_ROWS = 2000  # on which export and pipeline are compared: 20 ms, and far more rows than a tree has leaves
_EXAMPLE_ROWS = 3
_COMMON_PACKAGES = ("numpy", "onnx", "onnxruntime", "pandas", "skl2onnx")


def fit_pipeline(
    frame: pd.DataFrame,
    recipe: Recipe,
    build: Callable[[Mapping[str, Any]], Any],
    preparation: Callable[[Any], Callable[[Layout], Any]],
    extra: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda _: {},
) -> Fitted:
    """Fit preparation and estimator on the features and the target of a frame.

    `build` makes the estimator of its parameters; `preparation` says what an estimator needs before it; `extra` is
    what the steps' `fit` is told beside the rows.
    """
    if missing := [name for name in recipe.names if name not in frame.columns]:
        raise BadTrainingData(f"features {', '.join(missing)} are no columns of the data: {', '.join(frame.columns)}")
    layout = layout_of(recipe.features)
    estimator = build(recipe.params)
    values = target_of(frame, recipe)
    target = _learned(recipe, values, estimator)
    params = _translated(recipe, target, layout)
    estimator = build(params)
    rows = prepare({name: frame[name] for name in recipe.names}, layout)
    wanted = target.encode(values)
    if target.labels:
        wanted = wanted.astype(np.int64)  # classifiers learn codes, and give them back
    fitted = pipeline(preparation(estimator)(layout), estimator).fit(rows, wanted, **extra(params))
    return Fitted(recipe=recipe, pipeline=fitted, target=target, sample=spread(rows, SAMPLE_ROWS))


def _learned(recipe: Recipe, values: np.ndarray, estimator: Any) -> Target:
    """What can be true, by the task; raises BadEstimator where the estimator is for another one."""
    task = task_named(recipe.task)
    if is_classifier(estimator) != (task.estimators == "classifier"):
        raise BadEstimator(f"{recipe.estimator} is no {task.estimators}, and task {task.name} needs one")
    try:
        return task.learn(values, recipe.target, recipe.positive)
    except BadTarget as error:
        raise BadTrainingData(str(error)) from error


def _translated(recipe: Recipe, target: Target, layout: Layout) -> dict[str, Any]:
    """The parameters in the estimator's terms: its own order of the columns, and codes for labels."""
    params = by_column(recipe.params, recipe.names, [*layout.numbers, *layout.strings])
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
) -> Saved:
    """Write graph, signature and descriptions beside the framework's own file, and check that nothing is pickle."""
    graph = export(fitted)
    signature = signature_of(fitted.recipe, fitted.target)
    difference = largest_difference(fitted, OnnxModel(graph, signature))
    (folder / GRAPH).write_bytes(graph)
    write_directory(
        folder,
        Description("onnx", signature, framework),
        about={"run": about.run, "created": about.created.isoformat()},
        flavors={**flavors, **onnx_flavor()},
        packages=sorted([*_COMMON_PACKAGES, *packages]),
        example={name: _json(fitted.sample[name].head(_EXAMPLE_ROWS)) for name in fitted.recipe.names},
    )
    refuse_pickle(folder)
    return Saved(signature=signature, largest_difference=difference)


class PipelinePredictor:
    """A pipeline that answers as an ONNX graph does."""

    def __init__(self, pipeline: Any, layout: Layout, signature: Signature) -> None:
        self._pipeline = pipeline
        self._layout = layout
        self.target = target_of_signature(signature)
        self.signature = signature

    @classmethod
    def at(cls, folder: Path, pipeline: Any) -> "PipelinePredictor":
        """A predictor with the interface that a model directory promises."""
        signature = read_description(folder).signature
        strings = tuple(t.name for t in signature.inputs if t.datatype == "BYTES")
        numbers = tuple(t.name for t in signature.inputs if t.datatype != "BYTES")
        return cls(pipeline, Layout(numbers=numbers, strings=strings), signature)

    def predict(self, columns: Columns) -> dict[str, np.ndarray]:
        """The outputs of the task, one entry a row."""
        return answers(self._pipeline, prepare(columns, self._layout), self.target)


def spread(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """At most so many rows, evenly from the whole frame."""
    return frame if len(frame) <= rows else frame.iloc[np.linspace(0, len(frame) - 1, rows).astype(int)]


def _json(values: pd.Series) -> list[Any]:
    return [None if value != value else value for value in values.tolist()]
