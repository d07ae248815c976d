"""ONNX export, and the proof that the graph answers as the pipeline does."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

from headrace.frameworks.base import Fitted
from headrace.frameworks.errors import ExportRefused
from headrace.frameworks.labels import Labels
from headrace.frameworks.preparation import layout_of
from headrace.frameworks.thresholds import beside
from headrace.runtimes import Model
from headrace.runtimes.layout import Layout
from headrace.runtimes.onnx import LAYOUT_PROPERTY

TOLERANCE = 1e-4  # of a probability, or relative to the size of a prediction; real exports differ by about 1e-7
HALF = 2.0**-20  # probabilities this near to one half are one half: eight times what float32 sums differ by there
_ONNX_TYPES = {"b": TensorProto.BOOL, "i": TensorProto.INT64, "f": TensorProto.DOUBLE, "O": TensorProto.STRING}
_WAY_ON = "choose other parameters, or another estimator"
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
        raise ExportRefused(f"{fitted.recipe.estimator} cannot be exported to ONNX: {error}; {_WAY_ON}") from error
    _finish(model, fitted.labels)
    helper.set_model_props(model, {LAYOUT_PROPERTY: layout.dumps()})
    return bytes(model.SerializeToString())


def largest_difference(fitted: Fitted, graph: Model) -> float:
    """How far the graph is from the pipeline, on the sample and beside thresholds; ExportRefused above the tolerance.

    Labels must be the same but where the probability is one half, within what float32 can tell.
    """
    numbers = len(layout_of(fitted.recipe.features).numbers)
    rows = pd.concat([fitted.sample, beside(list(fitted.splits), fitted.sample, numbers)], ignore_index=True)
    own = answers(fitted.pipeline, rows, fitted.labels)
    try:
        exported = graph.answer(columns_of(rows))
    except Exception as error:  # the runtime's own errors have no common base
        raise ExportRefused(f"the ONNX graph of {fitted.recipe.estimator} does not run: {error}") from error
    name = "probability" if fitted.classifies else "prediction"
    scale = 1.0 if fitted.classifies else np.maximum(1.0, np.abs(own[name]))
    difference = float(np.max(np.abs(own[name] - exported[name]) / scale))
    if not difference <= TOLERANCE:
        raise ExportRefused(
            f"the ONNX graph of {fitted.recipe.estimator} differs from the fitted model by {difference:.2g}, "
            f"more than {TOLERANCE:g} allows; {_WAY_ON}"
        )
    if fitted.classifies and (other := _other_labels(own, exported)):
        raise ExportRefused(
            f"the ONNX graph of {fitted.recipe.estimator} gives another label than the fitted model in {other} of "
            f"{len(rows)} rows; {_WAY_ON}"
        )
    return difference


def answers(pipeline: Any, frame: pd.DataFrame, labels: Labels | None) -> dict[str, np.ndarray]:
    """What a pipeline says, in the words of the model's signature."""
    if labels is None:
        return {"prediction": np.asarray(pipeline.predict(frame), dtype=np.float64)}
    probability = np.asarray(pipeline.predict_proba(frame), dtype=np.float64)[:, 1]
    probability = np.where(np.abs(probability - 0.5) < HALF, 0.5, probability)
    return {"label": labels.array()[(probability > 0.5).astype(int)], "probability": probability}


def _other_labels(own: Mapping[str, np.ndarray], exported: Mapping[str, np.ndarray]) -> int:
    """Rows with another label, those apart whose probability float32 cannot tell from the edge of `HALF`."""
    edge = np.abs(np.abs(own["probability"] - 0.5) - HALF) < HALF
    return int(((own["label"] != exported["label"]) & ~edge).sum())


def columns_of(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """A frame as predictors take it."""
    return {str(name): frame[name].to_numpy() for name in frame.columns}


def _inputs(layout: Layout) -> list[tuple[str, Any]]:
    numbers = [("numbers", FloatTensorType([None, len(layout.numbers)]))] if layout.numbers else []
    return numbers + ([("strings", StringTensorType([None, len(layout.strings)]))] if layout.strings else [])


def _options(fitted: Fitted) -> dict[int, dict[str, Any]] | None:
    return {id(fitted.estimator): {"zipmap": False}} if fitted.classifies else None


def _finish(model: onnx.ModelProto, labels: Labels | None) -> None:
    """One plain vector an output: what callers want is taken inside the graph, not in Python for every request."""
    graph = model.graph
    if labels is None:
        _take(graph, graph.output[0].name, 0, "prediction")
        return _outputs(graph, {"prediction": TensorProto.DOUBLE})
    codes, probabilities = graph.output
    _rename(graph, codes.name, "code")
    _take(graph, probabilities.name, 1, "probability_of_float")
    _snap(graph, "probability_of_float", "probability")
    kind = _label(graph, "probability", labels)
    return _outputs(graph, {"label": kind, "probability": TensorProto.DOUBLE})


def _take(graph: onnx.GraphProto, matrix: str, column: int, name: str) -> None:
    """One column of a matrix, as double."""
    _constant(graph, f"{name}_column", TensorProto.INT64, [column], shape=[])
    _node(graph, "Gather", [matrix, f"{name}_column"], f"{name}_float", axis=1)
    _node(graph, "Cast", [f"{name}_float"], name, to=TensorProto.DOUBLE)


def _snap(graph: onnx.GraphProto, name: str, snapped: str) -> None:
    """One half where float32 sums cannot tell it from one half: a tie of a forest is a tie here too."""
    _constant(graph, "half", TensorProto.DOUBLE, [0.5], shape=[])
    _constant(graph, "near_half", TensorProto.DOUBLE, [HALF], shape=[])
    _node(graph, "Sub", [name, "half"], "from_half")
    _node(graph, "Abs", ["from_half"], "distance_from_half")
    _node(graph, "Less", ["distance_from_half", "near_half"], "is_half")
    _node(graph, "Where", ["is_half", "half", name], snapped)


def _label(graph: onnx.GraphProto, probability: str, labels: Labels) -> int:
    """The label with its own type: the positive one above one half. Answers with the type in ONNX's terms."""
    values = labels.array()
    kind = _ONNX_TYPES[values.dtype.kind]
    _constant(graph, "labels", kind, [v.encode() if isinstance(v, str) else v for v in labels.ordered], shape=[2])
    _node(graph, "Greater", [probability, "half"], "is_positive")
    _node(graph, "Cast", ["is_positive"], "which_label", to=TensorProto.INT64)
    _node(graph, "Gather", ["labels", "which_label"], "label", axis=0)
    return kind


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for at, name in enumerate(names):
                if name == old:
                    names[at] = new


def _constant(graph: onnx.GraphProto, name: str, kind: int, values: list[Any], shape: list[int]) -> None:
    graph.initializer.append(helper.make_tensor(name, kind, shape, values))


def _node(graph: onnx.GraphProto, operator: str, inputs: list[str], output: str, **attributes: Any) -> None:
    graph.node.append(helper.make_node(operator, inputs, [output], **attributes))


def _outputs(graph: onnx.GraphProto, kinds: dict[str, int]) -> None:
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(name, kind, [None]) for name, kind in kinds.items())
