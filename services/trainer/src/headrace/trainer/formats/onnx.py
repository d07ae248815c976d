"""ONNX: a graph, with the files of its tensors where it has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from onnx import TensorProto, helper

from headrace.contracts import Column
from headrace.contracts.labels import Label
from headrace.runtimes.datatypes import NUMPY
from headrace.runtimes.layout import NUMBERS, STRINGS, Layout
from headrace.runtimes.onnx import LAYOUT_PROPERTY
from headrace.trainer.formats.base import (
    Artifact,
    BadArtifact,
    GraphArtifact,
    Inputs,
    Wanted,
    assigned,
    beginning,
    in_order,
    only_file,
)
from headrace.trainer.formats.hostile import parsed
from headrace.trainer.formats.outputs import answer_in, classes_of, matrix_of
from headrace.trainer.formats.surgery import PREFIX, Front, Surgeon, prefix

_WAY_ON = "export it with a first dimension of any size"
_DATATYPES = {
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(float16)": "FP16",
    "tensor(int64)": "INT64",
    "tensor(int32)": "INT32",
    "tensor(int16)": "INT16",
    "tensor(int8)": "INT8",
    "tensor(uint8)": "UINT8",
    "tensor(bool)": "BOOL",
    "tensor(string)": "BYTES",
}
_FITS = {"BYTES": ("string",), "BOOL": ("boolean",)}  # a column's types by datatype; every other takes numbers
_WHOLE = ("integer", "boolean")
_TYPES = {"FP16": TensorProto.FLOAT16, "FP64": TensorProto.DOUBLE, "INT64": TensorProto.INT64}
_TYPES |= {"INT32": TensorProto.INT32, "INT16": TensorProto.INT16, "INT8": TensorProto.INT8}


@dataclass(frozen=True)
class Input:
    """One input of a graph: a column, or a matrix of them."""

    name: str
    datatype: str
    rank: int
    width: int | None
    """Columns that it takes; None where any number is taken."""

    @property
    def alone(self) -> bool:
        """Whether it takes one column."""
        return self.rank == 1 or self.width == 1


class Onnx:
    """Reads a graph; what it gives is compared with what the graph gave before anything was changed."""

    def found(self, folder: Path) -> Path | None:
        """The one file named .onnx, or the one file, where it begins as a message with an IR version does."""
        named = [path for path in folder.iterdir() if path.suffix == ".onnx" and path.is_file()]
        if named:
            return named[0] if len(named) == 1 else None
        only = only_file(folder)
        head = beginning(only, 2) if only else b""
        return only if len(head) == 2 and head[0] == 0x08 and 1 <= head[1] < 64 else None

    def read(self, path: Path, wanted: Wanted, names: Sequence[str] | None = None) -> Artifact:
        """The graph with its inputs named as columns, or with the declared tensors where its task gives them."""
        if wanted.by_name:
            return read_tensors(parsed(path), wanted)
        return read_graph(parsed(path), wanted, names)


def read_tensors(model: onnx.ModelProto, wanted: Wanted) -> Artifact:
    """A parsed graph that takes and gives tensors as they are declared."""
    from headrace.trainer.formats.tensors import TensorArtifact  # it stands on graphs, which stand on formats

    session_of(model)
    return TensorArtifact.of(model, wanted)


def read_graph(model: onnx.ModelProto, wanted: Wanted, names: Sequence[str] | None = None) -> GraphArtifact:
    """A parsed graph as an artifact; `names` are its columns in order, where somebody beside the graph knows them."""
    session = session_of(model)
    inputs = [_input(each) for each in session.get_inputs()]
    told = session.get_modelmeta().custom_metadata_map.get(LAYOUT_PROPERTY)
    columns = _columns(inputs, wanted, Layout.loads(told) if told else None, names)
    raw, label = answer_in(model, session, wanted)
    own = _own(session, inputs, columns)
    prefix(model.graph)
    datatypes = _with_front(model, inputs, columns)
    classes = raw.classes if raw.classes is not None else _classes(model.graph)
    every = [column for part in columns for column in part]
    return GraphArtifact(
        graph=model,
        inputs=Inputs(every, datatypes),
        raw=PREFIX + raw.value,
        own=lambda rows: matrix_of(own(rows)[raw.output], classes),
        labels=classes,
        label=label and PREFIX + label,
        own_label=(lambda rows: np.asarray(own(rows)[label])) if label else None,
        producer=" ".join(filter(None, (model.producer_name, model.producer_version))) or None,
    )


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """The graph as it was sent, loaded; raises BadArtifact."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors have no common base but Exception
        raise BadArtifact(f"ONNX Runtime cannot load the graph: {' '.join(str(error).split())}") from error


def _input(told: Any) -> Input:
    datatype, shape = _DATATYPES.get(told.type), list(told.shape)
    if datatype is None:
        raise BadArtifact(f"input {told.name!r} is a {told.type}; inputs are {', '.join(_DATATYPES)}")
    if not shape:
        raise BadArtifact(f"input {told.name!r} is one value without a dimension for rows; {_WAY_ON}")
    if isinstance(shape[0], int):
        raise BadArtifact(f"input {told.name!r} has the shape {shape}, always {shape[0]} rows; {_WAY_ON}")
    if len(shape) > 2:
        raise BadArtifact(f"input {told.name!r} has the shape {_shown(shape)}; a row is one value, or one row of them")
    width = shape[1] if len(shape) == 2 else 1
    return Input(told.name, datatype, len(shape), width if isinstance(width, int) else None)


def _columns(
    inputs: Sequence[Input], wanted: Wanted, layout: Layout | None, names: Sequence[str] | None
) -> list[list[Column]]:
    """The columns of each input; raises BadArtifact where that cannot be known, or where their types do not fit."""
    found = _assigned(inputs, wanted, layout, names)
    for each, columns in zip(inputs, found, strict=True):
        for column in columns:
            _must_fit(each, column)
    return found


def _assigned(
    inputs: Sequence[Input], wanted: Wanted, layout: Layout | None, names: Sequence[str] | None
) -> list[list[Column]]:
    what = "the graph"
    if layout is not None and {each.name for each in inputs} <= {NUMBERS, STRINGS}:
        known = {column.name: column for column in assigned(layout.names, wanted, what)}
        parts = {NUMBERS: layout.numbers, STRINGS: layout.strings}
        return [[known[name] for name in parts[each.name]] for each in inputs]
    if len(inputs) == 1 and (not inputs[0].alone or inputs[0].name not in wanted.columns):
        return [_matrix(inputs[0], wanted, what, names)]
    if all(each.alone for each in inputs):
        return [[column] for column in assigned([each.name for each in inputs], wanted, what)]
    if len(inputs) == 2 and {each.datatype == "BYTES" for each in inputs} == {True, False}:
        return _two_matrices(inputs, wanted, what)
    shapes = ", ".join(f"{each.name} [rows, {each.width or 'any'}]" for each in inputs)
    raise BadArtifact(f"the graph takes {shapes}; take one column each, or all in one matrix")


def _matrix(only: Input, wanted: Wanted, what: str, names: Sequence[str] | None) -> list[Column]:
    if names is not None and wanted.order is None and only.width in (None, len(names)):
        return assigned(names, wanted, what)
    count = only.width or len(wanted.order or wanted.columns)
    return in_order(count, wanted, f"{what}'s input {only.name!r}")


def _two_matrices(inputs: Sequence[Input], wanted: Wanted, what: str) -> list[list[Column]]:
    """One of numbers and one of texts, each in the order of the columns."""
    widths = [each.width for each in inputs]
    order = in_order(sum(w or 0 for w in widths) if None not in widths else len(wanted.columns), wanted, what)
    return [[column for column in order if (column.type == "string") == (each.datatype == "BYTES")] for each in inputs]


def _must_fit(each: Input, column: Column) -> None:
    whole = each.datatype.startswith(("INT", "UINT"))
    if column.type in _FITS.get(each.datatype, _WHOLE if whole else ("number", *_WHOLE)):
        return
    raise BadArtifact(
        f"the graph's input {each.name!r} takes {each.datatype}, and column {column.name!r} holds the type "
        f"{column.type}; give it another column with --columns, or the column another type in the dataset's contract"
    )


def _own(session: onnxruntime.InferenceSession, inputs: Sequence[Input], columns: Sequence[Sequence[Column]]) -> Any:
    """What the graph said before it was changed, by the names of its outputs."""
    names = [output.name for output in session.get_outputs()]

    def answer(rows: pd.DataFrame) -> Mapping[str, Any]:
        feeds = {each.name: _fed(each, part, rows) for each, part in zip(inputs, columns, strict=True)}
        try:
            return dict(zip(names, session.run(names, feeds), strict=True))
        except Exception as error:  # as above
            raise BadArtifact(f"the graph does not answer for rows of the test data: {error}") from error

    return answer


def _fed(each: Input, columns: Sequence[Column], rows: pd.DataFrame) -> np.ndarray:
    block = rows[[column.name for column in columns]]
    if each.datatype == "BYTES":
        matrix = block.astype(object).where(block.notna(), "").to_numpy(dtype=object)
    elif each.datatype.startswith("FP"):
        matrix = block.astype(np.float64).to_numpy().astype(NUMPY[each.datatype])
    else:
        _must_be_known(each, block)
        matrix = block.to_numpy().astype(NUMPY[each.datatype])
    return np.ascontiguousarray(matrix[:, 0] if each.rank == 1 else matrix)


def _must_be_known(each: Input, block: pd.DataFrame) -> None:
    for name in block.columns[block.isna().any()]:
        raise BadArtifact(f"input {each.name!r} takes {each.datatype}, and values of column {name!r} are missing")


def _with_front(
    model: onnx.ModelProto, inputs: Sequence[Input], columns: Sequence[Sequence[Column]]
) -> dict[str, str] | None:
    """Let the graph take the two matrices; where that would cost precision, its own tensors named as the columns."""
    apart = all(each.alone for each in inputs) and len(inputs) > 1
    if apart and any(each.datatype not in ("FP32", "BYTES") for each in inputs):
        return _renamed(model, inputs, columns)
    front = Front(model, [column for part in columns for column in part])
    for each, part in zip(inputs, columns, strict=True):
        names = [column.name for column in part]
        value = front.column(names[0]) if each.alone else front.numbers(names)
        if each.datatype == "BYTES" and not each.alone:
            value = STRINGS
        if each.datatype not in ("FP32", "BYTES"):
            value = front.surgeon.node("Cast", [value], to=_type(each))
        if each.rank == 1:
            value = front.surgeon.node("Reshape", [value, front.surgeon.constant(TensorProto.INT64, [-1], [1])])
        front.surgeon.renamed(value, PREFIX + each.name)
    front.finish()
    return None


def _renamed(model: onnx.ModelProto, inputs: Sequence[Input], columns: Sequence[Sequence[Column]]) -> dict[str, str]:
    surgeon = Surgeon(model)
    kinds = {each.name: each.type for each in model.graph.input}
    del model.graph.input[:]
    for each, (column,) in zip(inputs, columns, strict=True):
        model.graph.input.append(helper.make_value_info(column.name, kinds[PREFIX + each.name]))
        surgeon.renamed(column.name, PREFIX + each.name)
    surgeon.before()
    return {column.name: each.datatype for each, (column,) in zip(inputs, columns, strict=True)}


def _type(each: Input) -> int:
    if each.datatype not in _TYPES and each.datatype != "BOOL":
        raise BadArtifact(f"input {each.name!r} is a matrix of {each.datatype}; take float or double")
    return _TYPES.get(each.datatype, TensorProto.BOOL)


def _classes(graph: onnx.GraphProto) -> list[Label] | None:
    """The labels that a classifier's node names, where there is one alone."""
    found = [labels for node in graph.node if (labels := classes_of(node))]
    return found[0] if len(found) == 1 else None


def _shown(shape: Sequence[Any]) -> str:
    return f"[{', '.join(str(size) if isinstance(size, int) else 'any' for size in shape)}]"


FORMAT = Onnx()
