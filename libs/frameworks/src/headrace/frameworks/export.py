"""ONNX export, whole or around a library's own model, and the proof that what serves answers as the pipeline does."""

import warnings
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType

from headrace.frameworks.base import Fitted
from headrace.frameworks.errors import ExportRefused
from headrace.frameworks.graph import GraphOps
from headrace.frameworks.preparation.nodes import IR, OPSET
from headrace.frameworks.thresholds import beside
from headrace.runtimes import Model
from headrace.runtimes.native import PREPARED, RAW
from headrace.tasks import NUMPY, Target

TOLERANCE = 1e-4  # relative to the size of a number, of a probability absolute; real exports differ by about 1e-7
_WAY_ON = "choose other parameters, or another estimator"
_LONGEST = 400  # characters of a converter's message


def export(fitted: Fitted) -> bytes:
    """The pipeline as one graph: the matrices of the layout in, the outputs of the task out."""
    model = _converted(fitted)
    _begin(model, onnx.load_model_from_string(fitted.pipeline[0].graph))
    _finish(model, fitted.target, model.graph.output[-1].name)  # of a classifier the probabilities, behind the codes
    return bytes(model.SerializeToString())


def export_outputs(target: Target) -> bytes:
    """What stands behind the estimator as one graph: its raw answer in, the outputs of the task out."""
    raw = helper.make_tensor_value_info(RAW, TensorProto.DOUBLE, [None, None])
    graph = helper.make_graph([], "outputs", [raw], [])
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSET.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR)
    _finish(model, target, RAW)
    return bytes(model.SerializeToString())


def largest_difference(fitted: Fitted, model: Model, what: str = "the ONNX graph") -> float:
    """How far a model is from the pipeline, on the sample and beside thresholds; ExportRefused above the tolerance.

    Outputs that must be exact, such as labels, must be the same but where float32 cannot tell which one is right.
    """
    near = beside(list(fitted.splits), fitted.sample, fitted.origins)
    rows = pd.concat([fitted.sample, near], ignore_index=True)
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


def _converted(fitted: Fitted) -> onnx.ModelProto:
    """The estimator alone."""
    inputs = [(PREPARED, FloatTensorType([None, len(fitted.origins)]))]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model: onnx.ModelProto = to_onnx(
                fitted.estimator, initial_types=inputs, options=_options(fitted), target_opset=dict(OPSET)
            )
    except Exception as error:  # converters raise whatever they meet first
        told = " ".join(str(error).split())[:_LONGEST]
        raise ExportRefused(f"{fitted.recipe.estimator} cannot be exported to ONNX: {told}; {_WAY_ON}") from error
    return model


def _begin(model: onnx.ModelProto, preparation: onnx.ModelProto) -> None:
    """What the estimator takes is made inside the graph, too: by the preparation, whose inputs become the graph's."""
    graph, before = model.graph, preparation.graph
    nodes = [*before.node, *graph.node]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.input.extend(before.input)
    graph.initializer.extend(before.initializer)
    del model.opset_import[:]  # converters name the oldest that has what they wrote, and wrote what the newest has, too
    model.opset_import.extend(preparation.opset_import)
    helper.set_model_props(model, {each.key: each.value for each in preparation.metadata_props})


def _options(fitted: Fitted) -> dict[int, dict[str, Any]] | None:
    return {id(fitted.estimator): {"zipmap": False}} if hasattr(fitted.estimator, "predict_proba") else None


def _finish(model: onnx.ModelProto, target: Target, raw: str) -> None:
    """What callers want is made inside the graph, not in Python for every request: the outputs of the task."""
    ops = GraphOps(model.graph, taken={tensor.name for tensor in target.outputs()})
    found = target.answer(ops.own(raw), ops)
    ops.finish(found, {tensor.name: tensor for tensor in target.outputs()})
