"""ONNX graphs that users save, made to take the features and give the outputs of their task.

A graph takes either one matrix of numbers, [rows, features] in the order of the features, or one tensor a feature,
[rows] or [rows, 1]. It gives either the outputs of its task under their names, or one raw answer: the probabilities
[rows, labels] in the order of the labels, of two labels also the probability [rows] or [rows, 1] of the positive
one; of a number [rows] or [rows, 1].
"""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from headrace.contracts import Tensor
from headrace.frameworks.base import Fitted
from headrace.frameworks.code.layout import layout_of
from headrace.frameworks.errors import CodeFailed
from headrace.frameworks.graph import GraphOps
from headrace.runtimes.datatypes import NUMPY
from headrace.runtimes.layout import NUMBERS, STRINGS, Layout
from headrace.runtimes.onnx import LAYOUT_PROPERTY
from headrace.tasks import Target

_RAW = ("probabilities", "output_probability", "prediction")  # names by which one of several outputs is the raw answer
_MATRIX = 2
_TWO = 2


def served_graph(data: bytes, fitted: Fitted) -> bytes:
    """The graph as the runtime takes it; raises CodeFailed."""
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # the parser of protobuf has errors of its own
        raise CodeFailed("answer", f"the saved graph is no ONNX: {error}") from error
    if outside := sorted({each.name for each in model.graph.initializer if each.data_location == TensorProto.EXTERNAL}):
        text = f"the graph keeps {', '.join(outside[:3])} outside of itself; save it as one file"
        raise CodeFailed("answer", text)
    if inputs := fitted.target.inputs():
        must_take(model, inputs)
    else:
        take_matrices(model, layout_of(fitted.recipe.features), fitted.recipe.names)
    if fitted.target.by_name:
        give_by_name(model, fitted.target.outputs())
    else:
        give_outputs(model, fitted.target)
    return bytes(model.SerializeToString())


def must_take(model: onnx.ModelProto, inputs: Sequence[Tensor]) -> None:
    """A graph must take the declared tensors, each with its datatype and its axes; raises CodeFailed."""
    held = {each.name for each in model.graph.initializer}
    there = {each.name: each for each in model.graph.input if each.name not in held}
    wanted = {each.name: each for each in inputs}
    if there.keys() != wanted.keys():
        raise CodeFailed("answer", f"the graph takes {', '.join(there) or 'nothing'}; {', '.join(wanted)} is declared")
    for name, tensor in wanted.items():
        _must_be(f"input {name!r}", there[name], tensor)
    del model.metadata_props[:]


def give_by_name(model: onnx.ModelProto, outputs: Sequence[Tensor]) -> None:
    """A graph must give the declared tensors; what it gives beside them is left out. Raises CodeFailed."""
    graph, there = model.graph, {each.name: each for each in model.graph.output}
    if missing := [each.name for each in outputs if each.name not in there]:
        raise CodeFailed("answer", f"the graph gives {', '.join(there)}, and not {', '.join(missing)}, as declared")
    for tensor in outputs:
        _must_be(f"output {tensor.name!r}", there[tensor.name], tensor)
    kept = [there[each.name] for each in outputs]
    del graph.output[:]
    graph.output.extend(kept)


def _must_be(what: str, value: onnx.ValueInfoProto, tensor: Tensor) -> None:
    told = value.type.tensor_type
    wanted = TensorProto.STRING if tensor.datatype == "BYTES" else _ELEMENTS[tensor.datatype]
    if told.elem_type != wanted:
        kinds = {int(element): name for name, element in _ELEMENTS.items()} | {int(TensorProto.STRING): "BYTES"}
        found = kinds.get(told.elem_type, "no tensor of a datatype that is served")
        raise CodeFailed("answer", f"the graph's {what} is {found}; {tensor.datatype} is declared")
    if not told.HasField("shape"):
        return
    sizes = [each.dim_value or -1 for each in told.shape.dim]
    axes = zip(sizes[1:], tensor.shape[1:], strict=False)
    if len(sizes) != len(tensor.shape) or any(-1 not in (one, other) and one != other for one, other in axes):
        raise CodeFailed("answer", f"the graph's {what} has the shape {sizes}; {tensor.shape} is declared")
    if sizes[0] != -1:
        raise CodeFailed("answer", f"the graph's {what} has always {sizes[0]} rows; export it with an open first axis")


_ELEMENTS = {name: helper.np_dtype_to_tensor_dtype(kind) for name, kind in NUMPY.items()}


def take_matrices(model: onnx.ModelProto, layout: Layout, names: Sequence[str]) -> None:
    """Let a graph take one matrix of numbers and one of strings, as graphs of our own do; raises CodeFailed."""
    graph = model.graph
    held = {each.name for each in graph.initializer}
    inputs = {each.name: each for each in graph.input if each.name not in held}
    if inputs.keys() == set(names):
        nodes = [node for name in names for node in _one_column(name, inputs[name], layout)]
    elif len(inputs) == 1 and tuple(names) == layout.numbers:
        [(name, value)] = inputs.items()
        nodes = list(_whole(name, value))
    else:
        text = (
            f"the graph takes {', '.join(inputs) or 'nothing'}; it must take one tensor a feature ({', '.join(names)})"
        )
        raise CodeFailed("answer", f"{text}, or one matrix where all features are numbers")
    _rewire(graph, nodes, layout)
    helper.set_model_props(model, {LAYOUT_PROPERTY: layout.dumps()})


def _one_column(name: str, value: onnx.ValueInfoProto, layout: Layout) -> Iterator[onnx.NodeProto]:
    """From a matrix to one column, with the type and the shape that the graph wants of it."""
    matrix, columns = (STRINGS, layout.strings) if name in layout.strings else (NUMBERS, layout.numbers)
    flat = len(value.type.tensor_type.shape.dim) < _MATRIX
    place = np.array(columns.index(name) if flat else [columns.index(name)], dtype=np.int64)
    yield helper.make_node("Constant", [], [f"headrace_place_{name}"], value=numpy_helper.from_array(place))
    cut = f"headrace_column_{name}"
    yield helper.make_node("Gather", [f"headrace_{matrix}", f"headrace_place_{name}"], [cut], axis=1)
    yield _typed(cut, name, value, matrix)


def _whole(name: str, value: onnx.ValueInfoProto) -> Iterator[onnx.NodeProto]:
    yield _typed(f"headrace_{NUMBERS}", name, value, NUMBERS)


def _typed(given: str, name: str, value: onnx.ValueInfoProto, matrix: str) -> onnx.NodeProto:
    kind = value.type.tensor_type.elem_type
    if (kind == TensorProto.STRING) != (matrix == STRINGS):
        raise CodeFailed("answer", f"the graph's input {name!r} is of another kind than the feature: text or a number")
    same = kind == (TensorProto.STRING if matrix == STRINGS else TensorProto.FLOAT)
    return helper.make_node("Identity", [given], [name]) if same else helper.make_node("Cast", [given], [name], to=kind)


def _rewire(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto], layout: Layout) -> None:
    """Put the nodes first; the graph's own inputs become values that they make."""
    old = list(graph.node)
    taken = {name for node in old for name in (*node.input, *node.output)}
    heads = []
    del graph.input[:]
    for matrix, columns, kind in (
        (NUMBERS, layout.numbers, TensorProto.FLOAT),
        (STRINGS, layout.strings, TensorProto.STRING),
    ):
        if columns:
            graph.input.append(helper.make_tensor_value_info(matrix, kind, [None, len(columns)]))
            heads.append(helper.make_node("Identity", [matrix], [f"headrace_{matrix}"]))
    for node in (*nodes, *old):
        _rename(node, taken & {NUMBERS, STRINGS})
    for each in graph.output:
        each.name = f"headrace_own_{each.name}" if each.name in taken & {NUMBERS, STRINGS} else each.name
    del graph.node[:]
    graph.node.extend([*heads, *nodes, *old])


def _rename(node: onnx.NodeProto, names: set[str]) -> None:
    """Values of the graph's own that are called as our matrices get other names."""
    for values in (node.input, node.output):
        for at, value in enumerate(values):
            if value in names:
                values[at] = f"headrace_own_{value}"


def give_outputs(model: onnx.ModelProto, target: Target, order: Sequence[int] | None = None) -> None:
    """Let a graph give the outputs of its task; `order` says which of its probabilities is that of each label."""
    graph, wanted = model.graph, {tensor.name: tensor for tensor in target.outputs()}
    there = {each.name: each for each in graph.output}
    if wanted.keys() <= there.keys():
        return
    raw = next((there[name] for name in _RAW if name in there), graph.output[-1])
    if not raw.type.HasField("tensor_type"):
        raise CodeFailed("answer", f"the graph's output {raw.name!r} is no tensor; export it without ZipMap")
    ops = GraphOps(graph, taken=set(wanted))
    value = _as_matrix(graph, ops.own(raw.name), raw, target)
    if order is not None and list(order) != sorted(order):
        graph.initializer.append(helper.make_tensor("headrace_order", TensorProto.INT64, [len(order)], list(order)))
        graph.node.append(helper.make_node("Gather", [value, "headrace_order"], ["headrace_ordered"], axis=1))
        value = "headrace_ordered"
    ops.finish(target.answer(value, ops), wanted)


def _as_matrix(graph: onnx.GraphProto, name: str, raw: onnx.ValueInfoProto, target: Target) -> str:
    """[rows, labels] or [rows, 1]; of two labels the positive one alone gets its counterpart."""
    kind, shape = raw.type.tensor_type.elem_type, raw.type.tensor_type.shape.dim
    if kind not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        raise CodeFailed("answer", f"the graph's output {raw.name!r} holds no floating-point numbers")
    if len(shape) not in (1, _MATRIX):
        text = f"the graph's output {raw.name!r} has {len(shape)} dimensions; [rows] or [rows, columns] is needed"
        raise CodeFailed("answer", text)
    width = max(1, len(target.labels))
    columns = 1 if len(shape) == 1 else shape[1].dim_value
    if len(shape) == 1:
        graph.initializer.append(helper.make_tensor("headrace_axis", TensorProto.INT64, [1], [1]))
        graph.node.append(helper.make_node("Unsqueeze", [name, "headrace_axis"], ["headrace_matrix"]))
        name = "headrace_matrix"
    if columns == 1 and width == _TWO:
        graph.initializer.append(helper.make_tensor("headrace_one", kind, [], [1.0]))
        graph.node.append(helper.make_node("Sub", ["headrace_one", name], ["headrace_other"]))
        graph.node.append(helper.make_node("Concat", ["headrace_other", name], ["headrace_both"], axis=1))
        return "headrace_both"
    if columns not in (0, width):
        told = f"{width} are needed: one for each of {list(target.labels)}" if target.labels else "one is needed"
        raise CodeFailed("answer", f"the graph's output {raw.name!r} has {columns} columns; {told}")
    return name
