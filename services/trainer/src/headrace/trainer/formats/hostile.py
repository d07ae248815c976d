"""What an ONNX graph must not have: operators that nothing here runs, tensors in files that lie elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from headrace.trainer.formats.base import BadArtifact
from headrace.trainer.formats.surgery import opset_of

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})  # what ONNX Runtime brings
OLDEST = 9  # the first opset with all that the outputs of tasks are made of
LARGEST = (2 << 30) - 1  # bytes of one protobuf message


def parsed(path: Path) -> onnx.ModelProto:
    """The graph of a file, whole; raises BadArtifact."""
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(path.read_bytes())
    except DecodeError as error:
        raise BadArtifact(f"{path.name} is no ONNX model, or was cut: {error}") from error
    if not model.graph.node:
        raise BadArtifact(f"{path.name} is no ONNX model, or was cut: its graph has no nodes")
    _known_operators(model)
    if (opset := opset_of(model)) and opset < OLDEST:
        raise BadArtifact(
            f"the graph is of opset {opset}, {OLDEST} is the oldest that is taken; raise it with onnx.version_converter"
        )
    _with_external_data(model, path.parent)
    return model


def _known_operators(model: onnx.ModelProto) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    for node in _nodes(model):
        if node.domain not in DOMAINS and (node.domain, node.op_type) not in own:
            raise BadArtifact(
                f"operator {node.domain}:{node.op_type} is custom, and nothing here can run it; export the model with "
                "standard ONNX operators"
            )


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Every node, also of functions and of graphs within it."""
    yield from _within(model.graph.node)
    for function in model.functions:
        yield from _within(function.node)


def _within(nodes: object) -> Iterator[onnx.NodeProto]:
    for node in nodes:  # type: ignore[attr-defined]
        yield node
        for graph in _graphs(node):
            yield from _within(graph.node)


def _graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        yield from attribute.graphs
        if attribute.HasField("g"):
            yield attribute.g


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from model.graph.initializer
    for node in _nodes(model):
        for attribute in node.attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t
        for graph in _graphs(node):
            yield from graph.initializer


def _with_external_data(model: onnx.ModelProto, folder: Path) -> None:
    """Take tensors that lie in files of the artifact into the graph, which then is one file."""
    size = model.ByteSize()
    for tensor in _tensors(model):
        if not uses_external_data(tensor):
            continue
        place = {entry.key: entry.value for entry in tensor.external_data}
        size += _must_lie_in(folder, tensor.name, place)
        if size > LARGEST:
            raise BadArtifact(f"the graph with its tensors has more than {LARGEST:,} bytes, the most that one file has")
        try:
            load_external_data_for_tensor(tensor, str(folder))
        except (ValueError, OSError, onnx.checker.ValidationError) as error:
            raise BadArtifact(f"tensor {tensor.name!r} cannot be read: {error}") from error
        tensor.ClearField("external_data")
        tensor.data_location = onnx.TensorProto.DEFAULT


def _must_lie_in(folder: Path, name: str, place: dict[str, str]) -> int:
    """The size of the file that a tensor names; raises BadArtifact where it is no file of the artifact."""
    location = place.get("location", "")
    file = (folder / location).resolve()
    if not location or not file.is_relative_to(folder.resolve()):
        raise BadArtifact(f"tensor {name!r} names the file {location!r}, which leads out of the artifact")
    if not file.is_file():
        raise BadArtifact(
            f"tensor {name!r} lies in the file {location!r}, which was not sent; import the folder that has both files"
        )
    return int(place.get("length") or file.stat().st_size)
