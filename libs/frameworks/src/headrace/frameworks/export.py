"""ONNX export, and the proof that the graph answers as the pipeline does."""

import json
import warnings
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

from headrace.frameworks.base import Fitted
from headrace.frameworks.errors import BadModel, ExportRefused
from headrace.frameworks.layout import Layout
from headrace.frameworks.onnx import LABELS_PROPERTY, LAYOUT_PROPERTY, OnnxPredictor
from headrace.frameworks.preparation import layout_of

TOLERANCE = 1e-4  # of a probability, or relative to the size of a prediction; real exports differ by about 1e-7
_OPSET = {"": 17, "ai.onnx.ml": 3}  # the newest that both converters write; every runtime since 2022 reads it


def export(fitted: Fitted) -> bytes:
    """The pipeline as one graph: two matrices in, `label` and `probability` or `prediction` out."""
    layout = layout_of(fitted.recipe.features)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = to_onnx(
                fitted.pipeline, initial_types=_inputs(layout), options=_options(fitted), target_opset=_OPSET
            )
    except Exception as error:  # converters raise whatever they meet first
        raise ExportRefused(f"{fitted.recipe.estimator} cannot be exported to ONNX: {error}") from error
    _finish(model, fitted.classifies)
    labels = fitted.pipeline.classes_.tolist() if fitted.classifies else None
    helper.set_model_props(model, {LAYOUT_PROPERTY: layout.dumps(), LABELS_PROPERTY: json.dumps(labels)})
    return bytes(model.SerializeToString())


def largest_difference(fitted: Fitted, graph: OnnxPredictor) -> float:
    """How far the graph is from the pipeline on the sample; raise ExportRefused above the tolerance."""
    own = answers(fitted.pipeline, fitted.sample)
    try:
        exported = graph.predict(columns_of(fitted.sample))
    except Exception as error:  # the runtime's own errors have no common base
        raise ExportRefused(f"the ONNX graph of {fitted.recipe.estimator} does not run: {error}") from error
    name = "probability" if fitted.classifies else "prediction"
    scale = 1.0 if fitted.classifies else np.maximum(1.0, np.abs(own[name]))
    difference = float(np.max(np.abs(own[name] - exported[name]) / scale))
    if not difference <= TOLERANCE:
        raise ExportRefused(
            f"the ONNX graph of {fitted.recipe.estimator} differs from the fitted model by {difference:.2g}, "
            f"more than {TOLERANCE:g} allows"
        )
    return difference


def answers(pipeline: Any, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """What a pipeline says, in the words of `Predictor.predict`."""
    if not hasattr(pipeline, "classes_"):
        return {"prediction": np.asarray(pipeline.predict(frame), dtype=np.float64)}
    probability = np.asarray(pipeline.predict_proba(frame), dtype=np.float64)[:, 1]
    return {"label": pipeline.classes_[(probability > 0.5).astype(int)], "probability": probability}


def columns_of(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """A frame as predictors take it."""
    return {str(name): frame[name].to_numpy() for name in frame.columns}


def _inputs(layout: Layout) -> list[tuple[str, Any]]:
    numbers = [("numbers", FloatTensorType([None, len(layout.numbers)]))] if layout.numbers else []
    return numbers + ([("strings", StringTensorType([None, len(layout.strings)]))] if layout.strings else [])


def _options(fitted: Fitted) -> dict[int, dict[str, Any]] | None:
    return {id(fitted.estimator): {"zipmap": False}} if fitted.classifies else None


def _finish(model: onnx.ModelProto, classifies: bool) -> None:
    """One plain vector an output: what callers want is taken inside the graph, not in Python for every request."""
    graph = model.graph
    if not classifies:
        return _take(graph, graph.output[0].name, 0, "prediction", keep=())
    label, probabilities = graph.output
    if label.name != "label":
        raise BadModel(f"the converter names the label {label.name!r}")
    return _take(graph, probabilities.name, 1, "probability", keep=(label,))


def _take(graph: onnx.GraphProto, matrix: str, column: int, name: str, keep: tuple[Any, ...]) -> None:
    index = f"{name}_column"
    graph.initializer.append(helper.make_tensor(index, TensorProto.INT64, [], [column]))
    graph.node.append(helper.make_node("Gather", [matrix, index], [f"{name}_float"], axis=1))
    graph.node.append(helper.make_node("Cast", [f"{name}_float"], [name], to=TensorProto.DOUBLE))
    kept = list(keep)
    del graph.output[:]
    graph.output.extend([*kept, helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None])])
