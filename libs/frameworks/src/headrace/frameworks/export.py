"""ONNX export, whole or around a library's own model, and the proof that what serves answers as the pipeline does."""

import warnings
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

from headrace.frameworks.base import Fitted
from headrace.frameworks.errors import ExportRefused
from headrace.frameworks.graph import GraphOps
from headrace.frameworks.preparation import layout_of
from headrace.frameworks.thresholds import beside
from headrace.runtimes import Model
from headrace.runtimes.layout import Layout
from headrace.runtimes.native import PREPARED, RAW
from headrace.runtimes.onnx import LAYOUT_PROPERTY
from headrace.tasks import NUMPY, Target

TOLERANCE = 1e-4  # relative to the size of a number, of a probability absolute; real exports differ by about 1e-7
_WAY_ON = "choose other parameters, or another estimator"
_OPSET = {"": 17, "ai.onnx.ml": 3}  # the newest that all converters write; every runtime since 2022 reads it
_IR = 8  # of the file format, as converters write it for these
_LONGEST = 400  # characters of a converter's message


def export(fitted: Fitted) -> bytes:
    """The pipeline as one graph: two matrices in, the outputs of the task out."""
    model = _converted(fitted, fitted.pipeline, _options(fitted))
    _finish(model, fitted.target, model.graph.output[-1].name)  # of a classifier the probabilities, behind the codes
    return bytes(model.SerializeToString())


def export_preparation(fitted: Fitted) -> bytes:
    """What stands before the estimator as one graph: two matrices in, the matrix that the estimator sees out."""
    model = _converted(fitted, fitted.pipeline[:-1], None)
    graph, kind = model.graph, TensorProto.FLOAT
    graph.node.append(helper.make_node("Cast", [graph.output[-1].name], [PREPARED], to=kind))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(PREPARED, kind, [None, None]))
    return bytes(model.SerializeToString())


def export_outputs(target: Target) -> bytes:
    """What stands behind the estimator as one graph: its raw answer in, the outputs of the task out."""
    raw = helper.make_tensor_value_info(RAW, TensorProto.DOUBLE, [None, None])
    graph = helper.make_graph([], "outputs", [raw], [])
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSET.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR)
    _finish(model, target, RAW)
    return bytes(model.SerializeToString())


def largest_difference(fitted: Fitted, model: Model, what: str = "the ONNX graph") -> float:
    """How far a model is from the pipeline, on the sample and beside thresholds; ExportRefused above the tolerance.

    Outputs that must be exact, such as labels, must be the same but where float32 cannot tell which one is right.
    """
    numbers = len(layout_of(fitted.recipe.features).numbers)
    rows = pd.concat([fitted.sample, beside(list(fitted.splits), fitted.sample, numbers)], ignore_index=True)
    own = answers(fitted.pipeline, rows, fitted.target)
    try:
        exported = model.answer(columns_of(rows))
    except Exception as error:  # the runtime's own errors have no common base
        raise ExportRefused(f"{what} of {fitted.recipe.estimator} does not run: {error}") from error
    exact = fitted.target.exact
    difference = max((_difference(own[name], exported[name]) for name in own if name not in exact), default=0.0)
    if not difference <= TOLERANCE:
        raise ExportRefused(
            f"{what} of {fitted.recipe.estimator} differs from the fitted model by {difference:.2g}, "
            f"more than {TOLERANCE:g} allows; {_WAY_ON}"
        )
    sure = ~fitted.target.unsure(own)
    for name in sorted(exact):
        if other := int((sure & (own[name] != exported[name])).sum()):
            raise ExportRefused(
                f"{what} of {fitted.recipe.estimator} gives another {name} than the fitted model in {other} of "
                f"{len(rows)} rows; {_WAY_ON}"
            )
    return difference


def answers(pipeline: Any, frame: pd.DataFrame, target: Target) -> dict[str, np.ndarray]:
    """What a pipeline says, in the outputs of its task."""
    return target.answer(raw_answer(pipeline, frame), NUMPY)


def raw_answer(pipeline: Any, frame: pd.DataFrame) -> np.ndarray:
    """What an estimator says: probabilities by code, or one column of numbers."""
    if hasattr(pipeline, "predict_proba"):
        return np.asarray(pipeline.predict_proba(frame), dtype=np.float64)
    found = np.asarray(pipeline.predict(frame), dtype=np.float64)
    return found[:, None] if found.ndim == 1 else found


def _difference(own: np.ndarray, exported: np.ndarray) -> float:
    if own.shape != exported.shape:
        return float("inf")
    return float(np.max(np.abs(own - exported) / np.maximum(1.0, np.abs(own)), initial=0.0))


def columns_of(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """A frame as predictors take it."""
    return {str(name): frame[name].to_numpy() for name in frame.columns}


def _inputs(layout: Layout) -> list[tuple[str, Any]]:
    numbers = [("numbers", FloatTensorType([None, len(layout.numbers)]))] if layout.numbers else []
    return numbers + ([("strings", StringTensorType([None, len(layout.strings)]))] if layout.strings else [])


def _converted(fitted: Fitted, part: Any, options: dict[int, dict[str, Any]] | None) -> onnx.ModelProto:
    layout = layout_of(fitted.recipe.features)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model: onnx.ModelProto = to_onnx(part, initial_types=_inputs(layout), options=options, target_opset=_OPSET)
    except Exception as error:  # converters raise whatever they meet first
        told = " ".join(str(error).split())[:_LONGEST]
        raise ExportRefused(f"{fitted.recipe.estimator} cannot be exported to ONNX: {told}; {_WAY_ON}") from error
    helper.set_model_props(model, {LAYOUT_PROPERTY: layout.dumps()})
    return model


def _options(fitted: Fitted) -> dict[int, dict[str, Any]] | None:
    return {id(fitted.estimator): {"zipmap": False}} if hasattr(fitted.pipeline, "predict_proba") else None


def _finish(model: onnx.ModelProto, target: Target, raw: str) -> None:
    """What callers want is made inside the graph, not in Python for every request: the outputs of the task."""
    ops = GraphOps(model.graph, taken={tensor.name for tensor in target.outputs()})
    found = target.answer(ops.own(raw), ops)
    ops.finish(found, {tensor.name: tensor for tensor in target.outputs()})
