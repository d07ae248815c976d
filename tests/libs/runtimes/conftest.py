"""Model directories of graphs that are made here, node by node."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from headrace.contracts import Column, Signature, Tensor
from headrace.runtimes import Description, load, write_directory
from headrace.runtimes.directory import GRAPH, onnx_flavor
from headrace.runtimes.forecast import INNER, Forecast, Framing
from headrace.runtimes.layout import Layout
from headrace.runtimes.onnx import LAYOUT_PROPERTY
from headrace.runtimes.pmml import save as save_pmml

ABSURD = 1e300
ABOUT = {"run": "run-1", "created": "2026-01-02T03:04:05+00:00"}
OPSET = [helper.make_opsetid("", 17)]


def save(
    folder: Path, graph: bytes, signature: Signature, runtime: str = "onnx", example: Mapping[str, Any] | None = None
) -> None:
    """A model directory around a graph."""
    (folder / GRAPH).write_bytes(graph)
    described = Description(runtime, signature)
    write_directory(folder, described, about=ABOUT, flavors=onnx_flavor(), packages=["onnx"], example=example or {})


def graph_of(
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    constants: Sequence[Any] = (),
    **properties: str,
) -> bytes:
    """A graph as bytes."""
    model = helper.make_model(
        helper.make_graph(list(nodes), "made", list(inputs), list(outputs), list(constants)),
        opset_imports=OPSET,
        ir_version=8,
    )
    if properties:
        helper.set_model_props(model, properties)
    return bytes(model.SerializeToString())


def save_classifier(folder: Path) -> tuple[Mapping[str, list[Any]], Mapping[str, np.ndarray]]:
    """Probability = sigmoid(wind - distance) of one matrix of numbers; the label is whether it is above one half."""
    constants = [
        helper.make_tensor("weights", TensorProto.FLOAT, [2, 1], [1.0, -1.0]),
        helper.make_tensor("half", TensorProto.DOUBLE, [], [0.5]),
        helper.make_tensor("flat", TensorProto.INT64, [1], [-1]),
    ]
    nodes = [
        helper.make_node("MatMul", ["numbers", "weights"], ["score"]),
        helper.make_node("Sigmoid", ["score"], ["share"]),
        helper.make_node("Cast", ["share"], ["column"], to=TensorProto.DOUBLE),
        helper.make_node("Reshape", ["column", "flat"], ["probability"]),
        helper.make_node("Greater", ["probability", "half"], ["label"]),
    ]
    inputs = [helper.make_tensor_value_info("numbers", TensorProto.FLOAT, [None, 2])]
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.BOOL, [None]),
        helper.make_tensor_value_info("probability", TensorProto.DOUBLE, [None]),
    ]
    layout = Layout(numbers=("wind", "distance"), strings=())
    graph = graph_of(nodes, inputs, outputs, constants, **{LAYOUT_PROPERTY: layout.dumps()})
    signature = Signature(
        task="binary",
        inputs=[Tensor(name=name, datatype="FP64", shape=[-1]) for name in ("wind", "distance")],
        outputs=[
            Tensor(name="label", datatype="BOOL", shape=[-1], labels=[False, True]),
            Tensor(name="probability", datatype="FP64", shape=[-1], label=True),
        ],
    )
    rows = {"wind": [1.0, 2.0, 0.5, 0.0], "distance": [0.0, 3.0, 0.5, -2.0]}
    save(folder, graph, signature, example=rows)
    score = np.array(rows["wind"]) - np.array(rows["distance"])
    probability = 1 / (1 + np.exp(-score))
    return rows, {"label": probability > 0.5, "probability": probability}


WEIGHTED = '''"""Probability = sigmoid(wind - distance), by weights that lie beside."""
import json, math, pathlib
WEIGHTS = json.loads((pathlib.Path(__file__).parent / "weights.json").read_text())
def predict(columns):
    scores = [sum(w * (columns[n][row] or 0.0) for n, w in WEIGHTS.items()) for row in range(len(columns["wind"]))]
    shares = [1 / (1 + math.exp(-max(-700.0, min(700.0, each)))) for each in scores]
    return {"label": [share > 0.5 for share in shares], "probability": shares}
# the end
assert (
    WEIGHTS
)
'''


def save_process(folder: Path, code: str = WEIGHTED, **options: Any) -> Signature:
    """The same classifier as a Python function in a process of its own; `options` are of the description."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.json").write_text('{"wind": 1.0, "distance": -1.0}')
    (folder / "model.py").write_text(code)
    signature = Signature(
        task="binary",
        inputs=[Tensor(name=name, datatype="FP32", shape=[-1]) for name in ("wind", "distance")],
        outputs=[
            Tensor(name="label", datatype="BOOL", shape=[-1], labels=[False, True]),
            Tensor(name="probability", datatype="FP64", shape=[-1], label=True),
        ],
    )
    entry = {} if "command" in options else {"python": {"module": "model"}}
    described = Description("process", signature, options={**entry, **options})
    write_directory(folder, described, about=ABOUT, flavors={}, packages=[], example={})
    return signature


CARD = """<?xml version="1.0"?>
<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>
<DataDictionary>
  <DataField name="age" optype="continuous" dataType="float"/>
  <DataField name="town" optype="categorical" dataType="string"/>
  <DataField name="score" optype="continuous" dataType="double"/>
</DataDictionary>
<Scorecard functionName="regression" initialScore="10" useReasonCodes="false">
  <MiningSchema><MiningField name="age"/><MiningField name="town"/>
    <MiningField name="score" usageType="target"/></MiningSchema>
  <Output><OutputField name="where" feature="transformedValue" optype="categorical" dataType="string">
    <Apply function="uppercase"><FieldRef field="town"/></Apply></OutputField></Output>
  <Characteristics>
    <Characteristic name="age"><Attribute partialScore="5">
      <SimplePredicate field="age" operator="lessThan" value="30"/></Attribute>
      <Attribute partialScore="7.5"><True/></Attribute></Characteristic>
    <Characteristic name="town"><Attribute partialScore="1">
      <SimplePredicate field="town" operator="equal" value="Oslo"/>
      </Attribute><Attribute partialScore="2"><True/></Attribute></Characteristic>
  </Characteristics>
</Scorecard></PMML>
"""


def save_scorecard(folder: Path) -> tuple[Mapping[str, list[Any]], Mapping[str, np.ndarray]]:
    """A PMML document that needs numpy, because it answers with any text in upper case."""
    assert save_pmml(CARD.encode(), folder, ABOUT).runtime == "pmml"
    rows = {"age": [29.0, 30.0, None, 41.5], "town": ["Oslo", "Bergen", None, "Oslo"]}
    where = np.array(["OSLO", "BERGEN", "", "OSLO"], dtype=object)
    return rows, {"prediction": np.array([16.0, 19.5, 19.5, 18.5]), "where": where}


PAST: dict[str, Any] = {
    "time": "day", "series": ["store"], "horizon": 3, "step": "P1D", "lags": [1, 2], "rolling": [3],
    "functions": ["mean"], "calendar": ["weekday"], "season": 1, "lacking": "refuse",
}  # fmt: skip


def past_framing(**more: Any) -> Framing:
    """Daily sales of stores with a promotion that is known in advance."""
    promotion = Column(name="promotion", type="number", nullable=False)
    store = Column(name="store", type="string", nullable=False)
    return Framing({**PAST, **more}, [store, promotion], "sold")


def save_forecast(folder: Path, **more: Any) -> tuple[dict[str, list[Any]], dict[str, np.ndarray]]:
    """The next value is the last one, more by the promotion and by one a step; with rows that it can answer."""
    framing = past_framing(**more)
    inner = folder / INNER
    inner.mkdir(parents=True)
    names = [column.name for column in framing.learned if column.type != "string"]
    weights = [{"lag_1": 1.0, "promotion": 1.0, "step_ahead": 1.0}.get(name, 0.0) for name in names]
    constants = [
        helper.make_tensor("weights", TensorProto.FLOAT, [len(names), 1], weights),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("flat", TensorProto.INT64, [1], [-1]),
    ]
    nodes = [
        helper.make_node("IsNaN", ["numbers"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "numbers"], ["there"]),
        helper.make_node("MatMul", ["there", "weights"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["column"], to=TensorProto.DOUBLE),
        helper.make_node("Reshape", ["column", "flat"], ["prediction"]),
    ]
    inputs = [helper.make_tensor_value_info("numbers", TensorProto.FLOAT, [None, len(names)])]
    outputs = [helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, [None])]
    layout = Layout(numbers=tuple(names), strings=())
    graph = graph_of(nodes, inputs, outputs, constants, **{LAYOUT_PROPERTY: layout.dumps()})
    signature = Signature(
        task="regression",
        inputs=[Tensor(name=name, datatype="FP64", shape=[-1]) for name in names],
        outputs=[Tensor(name="prediction", datatype="FP64", shape=[-1])],
    )
    save(inner, graph, signature)
    Forecast(load).write(framing, folder, framing.signature("forecasting", []), ABOUT, {})
    return past_rows(), {
        "prediction": np.array([np.nan] * 3 + [8.0, 8.5] + [np.nan] * 3 + [13.0]),
        "naive": np.array([np.nan] * 3 + [6.0, 6.0] + [np.nan] * 3 + [10.0]),
        "scale": np.array([np.nan] * 3 + [2.5, 2.5] + [np.nan] * 3 + [0.0]),
    }


def past_rows() -> dict[str, list[Any]]:
    """Three known days of two stores, two days that are asked for of one, and the third of the other."""
    days = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05"]
    return {
        "day": [*days, *days[:3], "2026-01-06"],
        "store": ["a"] * 5 + ["b"] * 4,
        "promotion": [0.0, 0.0, None, 1.0, 0.5, None, None, None, 0.0],
        "sold": [1.0, 2.0, 6.0, None, None, 10.0, 10.0, 10.0, None],
    }
