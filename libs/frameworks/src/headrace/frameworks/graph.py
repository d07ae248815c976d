"""The operations of tasks as nodes of an ONNX graph: what a task answers is written once, and runs in both."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import onnx
from onnx import TensorProto, helper

from headrace.contracts import Tensor
from headrace.tasks.labels import Label, label_array

_OF_LABELS = {"b": TensorProto.BOOL, "i": TensorProto.INT64, "f": TensorProto.DOUBLE, "O": TensorProto.STRING}
_OF_TENSORS = {
    "BOOL": TensorProto.BOOL,
    "INT64": TensorProto.INT64,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}
OPSET = 17  # of the graphs that are made here
_AXES_ARE_INPUTS = 18  # from this opset on
_MARK = "headrace_"  # how the names of values begin that are added here: no converter's do


class GraphOps:
    """Appends to a graph; a value is its name. See headrace.tasks.Ops."""

    def __init__(self, graph: onnx.GraphProto, taken: Collection[str] = (), opset: int = OPSET) -> None:
        self._graph = graph
        self._opset = opset
        self._count = 0
        self._free(taken)

    def own(self, name: str) -> str:
        """A value that the graph has already, by its present name."""
        return f"{_MARK}{name}" if f"{_MARK}{name}" in self._renamed else name

    def number(self, value: float) -> str:
        """A constant."""
        return self._constant(TensorProto.DOUBLE, [value], [])

    def double(self, values: str) -> str:
        """The same values as float64."""
        return self._node("Cast", [values], to=TensorProto.DOUBLE)

    def column(self, matrix: str, place: int) -> str:
        """One column of a matrix."""
        return self._node("Gather", [matrix, self._constant(TensorProto.INT64, [place], [])], axis=1)

    def minus(self, one: str, other: str) -> str:
        """The difference."""
        return self._node("Sub", [one, other])

    def magnitude(self, values: str) -> str:
        """Absolute values."""
        return self._node("Abs", [values])

    def less(self, one: str, other: str) -> str:
        """Whether one is less than the other."""
        return self._node("Less", [one, other])

    def where(self, condition: str, yes: str, no: str) -> str:
        """`yes` where the condition holds, else `no`."""
        return self._node("Where", [condition, yes, no])

    def greatest(self, matrix: str) -> str:
        """The greatest value of every row, as [rows, 1]."""
        if self._opset < _AXES_ARE_INPUTS:
            return self._node("ReduceMax", [matrix], axes=[1], keepdims=1)
        return self._node("ReduceMax", [matrix, self._constant(TensorProto.INT64, [1], [1])], keepdims=1)

    def ascending(self, matrix: str, columns: int) -> str:
        """Every row in rising order."""
        name, places = self._name("ascending"), self._name("places")
        count = self._constant(TensorProto.INT64, [columns], [1])
        self._graph.node.append(helper.make_node("TopK", [matrix, count], [name, places], axis=1, largest=0, sorted=1))
        return name

    def whole(self, condition: str) -> str:
        """Truth values as 0 and 1."""
        return self._node("Cast", [condition], to=TensorProto.INT64)

    def first(self, condition: str) -> str:
        """The place of the first true value of every row."""
        numbers = self._node("Cast", [condition], to=TensorProto.FLOAT)
        return self._node("ArgMax", [numbers], axis=1, keepdims=0)

    def pick(self, places: str, labels: Sequence[Label]) -> str:
        """The labels at some places."""
        values = [each.encode() if isinstance(each, str) else each for each in labels]
        table = self._constant(_OF_LABELS[label_array(labels).dtype.kind], values, [len(values)])
        return self._node("Gather", [table, places], axis=0)

    def finish(self, outputs: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
        """Make some values the outputs of the graph, and nothing else."""
        del self._graph.output[:]
        for name, value in outputs.items():
            self._graph.node.append(helper.make_node("Identity", [value], [name]))
            shape = [None if size < 0 else size for size in tensors[name].shape]
            kind = _OF_TENSORS[tensors[name].datatype]
            self._graph.output.append(helper.make_tensor_value_info(name, kind, shape))

    def _free(self, taken: Collection[str]) -> None:
        """Give values of the graph another name where they have that of an output."""
        self._renamed = set()
        for node in self._graph.node:
            for names in (node.input, node.output):
                for at, name in enumerate(names):
                    if name in taken:
                        names[at] = f"{_MARK}{name}"
                        self._renamed.add(names[at])

    def _constant(self, kind: int, values: list[Any], shape: list[int]) -> str:
        name = self._name("constant")
        self._graph.initializer.append(helper.make_tensor(name, kind, shape, values))
        return name

    def _node(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        name = self._name(operator.lower())
        self._graph.node.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def _name(self, what: str) -> str:
        self._count += 1
        return f"{_MARK}{what}_{self._count}"
