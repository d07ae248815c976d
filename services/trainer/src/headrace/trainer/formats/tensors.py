"""Graphs that take and give tensors as a declaration says: they serve as they are."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx

from headrace.contracts import Column, Signature, Tensor
from headrace.frameworks import CodeFailed
from headrace.frameworks.code.graphs import give_by_name, must_take
from headrace.runtimes import Description, write_directory
from headrace.runtimes.datatypes import NUMPY
from headrace.runtimes.directory import GRAPH, onnx_flavor
from headrace.tasks import Target, task_named
from headrace.trainer.formats.base import Artifact, BadArtifact, Equality, Given, Saved, Wanted
from headrace.trainer.formats.graphs import EXAMPLE_ROWS, PACKAGES, loaded


@dataclass(frozen=True, kw_only=True)
class TensorArtifact(Artifact):
    """A graph whose tensors are those of the declaration."""

    graph: onnx.ModelProto
    target: Target
    inputs: Sequence[Tensor]
    taken: Sequence[Column]
    gives_tensors: ClassVar[bool] = True

    @classmethod
    def of(cls, graph: onnx.ModelProto, wanted: Wanted) -> "TensorArtifact":
        """A graph held against the declaration; raises BadArtifact."""
        target = task_named(wanted.task).bare(wanted.options)
        inputs = target.inputs() or [_of_column(each, graph) for each in _alone(graph, wanted)]
        try:
            must_take(graph, inputs)
            give_by_name(graph, target.outputs())
        except CodeFailed as error:
            raise BadArtifact(str(error)) from error
        taken = [wanted.columns[name] for name in target.asked_by(inputs)]
        producer = " ".join(filter(None, (graph.producer_name, graph.producer_version))) or None
        return cls(graph=graph, target=target, inputs=inputs, taken=taken, producer=producer)

    @property
    def columns(self) -> Sequence[Column]:
        """The columns that its tensors are made of."""
        return self.taken

    def save(self, folder: Path, wanted: Wanted, given: Given) -> Saved:
        """Write a directory for the runtime `onnx`; the graph itself serves, so that nothing is compared."""
        signature = Signature(
            task=wanted.task,
            inputs=list(self.inputs),
            outputs=self.target.outputs(),
            context=list(given.context) or None,
            task_options=dict(self.target.options),
        )
        asked = self.target.requested(self.inputs, _columns(given.rows, self.target.asked_by(self.inputs)))
        folder.mkdir()
        (folder / GRAPH).write_bytes(self.graph.SerializeToString())
        write_directory(
            folder,
            Description("onnx", signature, self.framework),
            about=given.about,
            flavors=onnx_flavor(),
            packages=PACKAGES,
            example={name: values[:EXAMPLE_ROWS].tolist() for name, values in asked.items()},
        )
        _must_answer(folder, self.target, asked)
        return Saved(Equality())


def _must_answer(folder: Path, target: Target, asked: Mapping[str, np.ndarray]) -> None:
    """What is declared is promised to callers: every row has every output, with its datatype and shape."""
    rows = len(next(iter(asked.values())))
    with closing(loaded(folder)) as model:
        try:
            answers = model.answer(asked)
        except Exception as error:  # ONNX Runtime's own errors have no common base but Exception
            raise BadArtifact(f"the graph does not answer for rows of the test data: {error}") from error
    for tensor in target.outputs():
        values = np.asarray(answers[tensor.name])
        sizes = zip([rows, *tensor.shape[1:]], values.shape, strict=False)
        fits = values.ndim == len(tensor.shape) and all(size in (-1, found) for size, found in sizes)
        if not fits or values.dtype != NUMPY.get(tensor.datatype, np.dtype(object)):
            told = f"output {tensor.name!r} is {values.dtype} of the shape {list(values.shape)} for {rows} rows"
            raise BadArtifact(f"{told}; {tensor.datatype} {tensor.shape} is declared")


def _alone(graph: onnx.ModelProto, wanted: Wanted) -> Sequence[Column]:
    """The columns of inputs that are called as these; raises BadArtifact."""
    held = {each.name for each in graph.graph.initializer}
    names = [each.name for each in graph.graph.input if each.name not in held]
    if missing := [name for name in names if name not in wanted.columns]:
        told = f"the graph takes {', '.join(map(repr, missing))}, which is no feature of the declaration"
        raise BadArtifact(f"{told}; say of which columns it is made, in task_options.inputs")
    return [wanted.columns[name] for name in names]


def _of_column(column: Column, graph: onnx.ModelProto) -> Tensor:
    """The tensor of an input that takes one column, with the graph's own datatype where it takes numbers."""
    [value] = [each for each in graph.graph.input if each.name == column.name]
    kinds = {int(onnx.helper.np_dtype_to_tensor_dtype(kind)): name for name, kind in NUMPY.items()}
    datatype = kinds.get(value.type.tensor_type.elem_type, "BYTES")
    if (datatype == "BYTES") != (column.type == "string"):
        raise BadArtifact(f"input {column.name!r} takes {datatype}, and its column holds the type {column.type}")
    return Tensor(name=column.name, datatype=datatype, shape=[-1], nullable=datatype in ("BYTES", "FP32", "FP64"))


def _columns(rows: Any, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Rows of test data as requests have them."""
    return {name: rows[name].astype(object).where(rows[name].notna(), None).to_numpy() for name in names}
