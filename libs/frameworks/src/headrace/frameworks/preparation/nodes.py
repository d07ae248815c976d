"""A graph of ONNX nodes as it is written, step by step, and small graphs run at once on rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ML = "ai.onnx.ml"
OPSET: Mapping[str, int] = {"": 17, ML: 3}
"""The newest that the estimators' converters write; every runtime since 2022 reads it."""
IR = 8  # the version of the file format that belongs to it
_MARK = "prepared_"  # how the names of values begin that are made here: no converter's do
_ROWS = 50_000  # of one run, so that a long table of words needs no memory of its own for every step

FLOAT, DOUBLE, TEXT, WHOLE = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.STRING, TensorProto.INT64
_KINDS = {"float32": FLOAT, "float64": DOUBLE, "object": TEXT, "int64": WHOLE}


@dataclass(frozen=True)
class Value:
    """A matrix inside the graph, of a type of ONNX."""

    name: str
    type: int
    instead: Sequence[str] = ()
    """Of text: what stands for a missing one in each column, where that was filled."""


class Nodes:
    """The nodes and constants of a graph, as far as it is written."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: Any, like: Value | None = None) -> str:
        """A constant; of the type of a value where one is given."""
        array = np.asarray(values)
        if like is not None:
            array = array.astype(helper.tensor_dtype_to_np_dtype(like.type))
        name = self._name()
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, inputs: Sequence[str], result: int, domain: str = "", **attributes: Any) -> Value:
        """One node; answers with what it makes, a value of the type `result`."""
        name = self._name()
        self.nodes.append(helper.make_node(operator, list(inputs), [name], domain=domain, **attributes))
        return Value(name, result)

    def cast(self, value: Value, to: int) -> Value:
        """The same values as another type."""
        return value if value.type == to else self.add("Cast", [value.name], to, to=to)

    def double(self, value: Value) -> Value:
        """The same values as float64, in which steps compute."""
        return self.cast(value, DOUBLE)

    def columns(self, value: Value, places: Sequence[int]) -> Value:
        """Some columns of a matrix, still a matrix."""
        found = self.add("Gather", [value.name, self.constant(np.array(places))], value.type, axis=1)
        return replace(found, instead=[value.instead[place] for place in places] if value.instead else ())

    def beside(self, values: Sequence[Value]) -> Value:
        """Matrices of one type side by side."""
        if len(values) == 1:
            return values[0]
        return self.add("Concat", [each.name for each in values], values[0].type, axis=1)

    def where(self, condition: Value, yes: str, no: str, result: int) -> Value:
        """`yes` where the condition holds, else `no`."""
        return self.add("Where", [condition.name, yes, no], result)

    def missing(self, value: Value) -> Value:
        """Where numbers are missing."""
        return self.add("IsNaN", [value.name], TensorProto.BOOL)

    def keep_missing(self, value: Value, made: Value) -> Value:
        """What was made of a value, but missing where the value is."""
        return self.where(self.missing(value), self.constant(np.nan, made), made.name, made.type)

    def lookup(self, column: Value, keys: Sequence[Any], values: Sequence[float], default: float) -> Value:
        """One float32 for each text or number of a column, and another one for all that are not among the keys."""
        named: dict[str, Any] = {"values_floats": [float(each) for each in values], "default_float": float(default)}
        if column.type == TEXT:
            known = dict(zip(map(str, keys), named["values_floats"], strict=True))
            if column.instead:
                known[""] = known.get(column.instead[0], named["default_float"])
            named["keys_strings"], named["values_floats"] = list(known), list(known.values())
        else:
            column, named["keys_floats"] = self.cast(column, FLOAT), [float(key) for key in keys]
        return self.add("LabelEncoder", [column.name], FLOAT, ML, **named)

    def _name(self) -> str:
        return f"{_MARK}{len(self.nodes)}_{len(self.constants)}"


def model_of(
    nodes: Nodes, inputs: Mapping[str, tuple[int, int | None]], output: Value, width: int, name: str
) -> onnx.ModelProto:
    """A whole model: inputs by name with type and number of columns, and one matrix out under a name of its own."""
    given = [helper.make_tensor_value_info(each, kind, [None, size]) for each, (kind, size) in inputs.items()]
    last = helper.make_node("Identity", [output.name], [name])
    made = helper.make_tensor_value_info(name, output.type, [None, width])
    graph = helper.make_graph([*nodes.nodes, last], "preparation", given, [made], nodes.constants)
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSET.items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR)


def run_at_once(write: Callable[[Nodes, Value], Value], values: np.ndarray) -> np.ndarray:
    """What nodes make of a matrix: they are written, run, and forgotten."""
    nodes = Nodes()
    kind = _KINDS[values.dtype.name]
    made = write(nodes, Value("x", kind))
    graph = model_of(nodes, {"x": (kind, values.shape[1])}, made, 0, "y")
    del graph.graph.output[0].type.tensor_type.shape.dim[:]
    graph.graph.output[0].type.tensor_type.ClearField("shape")
    return run(session_of(graph.SerializeToString()), {"x": values})


def session_of(graph: bytes) -> onnxruntime.InferenceSession:
    """A graph ready to run, in the thread that asks: waking others costs more than most blocks take."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    """The one output of a graph, made in pieces where there are many rows."""
    rows = len(next(iter(feeds.values())))
    pieces = [
        session.run(None, {name: values[at : at + _ROWS] for name, values in feeds.items()})[0]
        for at in range(0, max(rows, 1), _ROWS)
    ]
    return np.asarray(pieces[0] if len(pieces) == 1 else np.concatenate(pieces))
