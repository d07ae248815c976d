"""Changes of an ONNX graph: other names for its values, what comes before it, and what comes behind."""

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import TensorProto, helper

from headrace.contracts import Column
from headrace.runtimes.layout import NUMBERS, STRINGS, Layout

PREFIX = "artifact."  # of every name in an imported graph, so that none is one of ours
_MARK = "headrace_in_"


class Surgeon:
    """Nodes that are put before a graph, or behind it; a value is its name."""

    def __init__(self, model: onnx.ModelProto, mark: str = _MARK) -> None:
        self.model = model
        self.nodes: list[onnx.NodeProto] = []
        self._mark = mark
        self._count = 0

    def node(self, operator: str, inputs: Sequence[str], domain: str = "", **attributes: Any) -> str:
        """The first output of a new node."""
        name = self._name()
        self.nodes.append(helper.make_node(operator, list(inputs), [name], domain=domain, **attributes))
        return name

    def renamed(self, value: str, name: str) -> None:
        """The same value under another name."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))

    def constant(self, kind: int, values: Sequence[Any], shape: Sequence[int]) -> str:
        """A tensor."""
        name = self._name()
        self.model.graph.initializer.append(helper.make_tensor(name, kind, list(shape), list(values)))
        return name

    def gathered(self, matrix: str, places: Sequence[int]) -> str:
        """Some columns of a matrix, as a matrix."""
        return self.node("Gather", [matrix, self.constant(TensorProto.INT64, places, [len(places)])], axis=1)

    def before(self) -> None:
        """Put the new nodes before the graph's own."""
        own = list(self.model.graph.node)
        del self.model.graph.node[:]
        self.model.graph.node.extend([*self.nodes, *own])

    def behind(self) -> None:
        """Put the new nodes behind the graph's own."""
        self.model.graph.node.extend(self.nodes)

    def _name(self) -> str:
        self._count += 1
        return f"{self._mark}{self._count}"


class Front:
    """The two matrices of `headrace.runtimes.layout` as a graph's inputs, and the columns in them."""

    def __init__(self, model: onnx.ModelProto, columns: Sequence[Column]) -> None:
        self.surgeon = Surgeon(model)
        self.layout = layout_of(columns)

    def column(self, name: str) -> str:
        """One column, [rows, 1]: float32, or strings."""
        if name in self.layout.strings:
            return self.surgeon.gathered(STRINGS, [self.layout.strings.index(name)])
        return self.surgeon.gathered(NUMBERS, [self.layout.numbers.index(name)])

    def numbers(self, names: Sequence[str]) -> str:
        """Columns of numbers in an order of their own, [rows, columns]."""
        if tuple(names) == self.layout.numbers:
            return NUMBERS
        return self.surgeon.gathered(NUMBERS, [self.layout.numbers.index(name) for name in names])

    def finish(self) -> None:
        """Make the matrices the inputs of the graph, and nothing else."""
        graph = self.surgeon.model.graph
        del graph.input[:]
        parts = ((NUMBERS, self.layout.numbers, TensorProto.FLOAT), (STRINGS, self.layout.strings, TensorProto.STRING))
        for name, columns, kind in parts:
            if columns:
                graph.input.append(helper.make_tensor_value_info(name, kind, [None, len(columns)]))
        self.surgeon.before()


def layout_of(columns: Sequence[Column]) -> Layout:
    """Which column goes into which matrix."""
    return Layout(
        numbers=tuple(column.name for column in columns if column.type != "string"),
        strings=tuple(column.name for column in columns if column.type == "string"),
    )


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the standard operators; 0 where a graph uses none."""
    return next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)


def prefix(graph: onnx.GraphProto) -> None:
    """Give every value of a graph, and of the graphs in it, a name that none of ours can be."""
    for node in graph.node:
        _prefix_all(node.input)
        _prefix_all(node.output)
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                prefix(inner)
    for named in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        named.name = PREFIX + named.name
    for sparse in graph.sparse_initializer:
        sparse.values.name = PREFIX + sparse.values.name
    del graph.quantization_annotation[:]


def _prefix_all(names: Any) -> None:
    for at, name in enumerate(names):
        if name:
            names[at] = PREFIX + name
