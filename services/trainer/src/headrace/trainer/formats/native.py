"""Artifacts of a library whose own model serves where no graph is exact: between two graphs, as after a fit of ours."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from headrace.contracts import Column
from headrace.frameworks.graph import OPSET
from headrace.runtimes import Description
from headrace.runtimes.native import OUTPUTS, PREPARATION, PREPARED, RAW
from headrace.runtimes.onnx import LAYOUT_PROPERTY
from headrace.runtimes.proof import write_proof
from headrace.trainer.formats.base import Artifact, BadArtifact, Given, GraphArtifact, Saved, Wanted
from headrace.trainer.formats.equality import compared, expected
from headrace.trainer.formats.graphs import finish, loaded
from headrace.trainer.formats.onnx import read_graph
from headrace.trainer.formats.surgery import Surgeon, layout_of
from headrace.trainer.formats.takeover import LABEL, answers_of, end_of, signature_of
from headrace.trainer.formats.trees import Categories, by_columns

_IR, _MATRIX, _SAME = 8, "features", "matrix"
_PROOF_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class NativeArtifact(Artifact):
    """A library's model that is served by a graph where that is exact."""

    runtime: str
    """The runtime of the library."""
    prepared: GraphArtifact
    """Its graph makes the library's one matrix of the columns; everything else is the library's."""
    packages: Sequence[str]
    graph: GraphArtifact | None
    """The same model as one graph."""
    why: str = ""
    """Why there is none."""

    @property
    def columns(self) -> Sequence[Column]:
        """The columns that it takes."""
        return self.prepared.columns

    def save(self, folder: Path, wanted: Wanted, given: Given) -> Saved:
        """Write a directory for the runtime `onnx`, or where that answers otherwise for the library's own."""
        why = self.why
        if self.graph is not None:
            try:
                return self.graph.save(folder, wanted, given)
            except BadArtifact as error:
                shutil.rmtree(folder, ignore_errors=True)
                why = str(error)
        return self._save_natively(folder, wanted, given, why)

    def _save_natively(self, folder: Path, wanted: Wanted, given: Given, why: str) -> Saved:
        answers = answers_of(self.prepared, wanted, given)
        outputs = replace(self.prepared, graph=_raw_graph(), raw=RAW)
        end_of(outputs, answers)
        folder.mkdir()
        (folder / PREPARATION).write_bytes(_preparation(self.prepared))
        (folder / OUTPUTS).write_bytes(outputs.graph.SerializeToString())
        signature = signature_of(self.prepared, answers.target, given.context)
        described = Description(self.runtime, signature, self.framework)
        finish(folder, described, self.prepared, given, self.prepared.flavors, self.packages)
        found = compared(self.prepared, answers, loaded(folder), given.rows)
        rows = given.rows.head(_PROOF_ROWS)
        own = {name: np.asarray(values) for name, values in expected(self.prepared.own, answers, rows).items()}
        kept = {column.name: _json(rows[column.name].tolist()) for column in self.columns}
        write_proof(folder, kept, {name: values for name, values in own.items() if name != LABEL})
        return Saved(found, [f"it is answered by {self.runtime} itself, for no graph is exact: {why}"])


def matrix_of(columns: Sequence[Column], categories: Categories, wanted: Wanted) -> GraphArtifact:
    """A graph of the library's one matrix, in the order of the columns, with categories as codes."""
    matrix = helper.make_tensor_value_info(_MATRIX, TensorProto.FLOAT, [None, len(columns)])
    same = helper.make_tensor_value_info(_SAME, TensorProto.FLOAT, [None, len(columns)])
    graph = helper.make_graph([helper.make_node("Identity", [_MATRIX], [_SAME])], "preparation", [matrix], [same])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR)
    names = [column.name for column in columns]
    return read_graph(by_columns(model, columns, categories), replace(wanted, order=None, outputs={}), names)


def _preparation(prepared: GraphArtifact) -> bytes:
    """The graph with the matrix as its one output."""
    model = prepared.graph
    surgeon = Surgeon(model, "headrace_prepared_")
    surgeon.renamed(prepared.raw, PREPARED)
    surgeon.behind()
    del model.graph.output[:]
    width = len(prepared.columns)
    model.graph.output.append(helper.make_tensor_value_info(PREPARED, TensorProto.FLOAT, [None, width]))
    helper.set_model_props(model, {LAYOUT_PROPERTY: layout_of(prepared.columns).dumps()})
    return bytes(model.SerializeToString())


def _raw_graph() -> onnx.ModelProto:
    """What the outputs are made of: the library's raw answer."""
    raw = helper.make_tensor_value_info(RAW, TensorProto.DOUBLE, [None, None])
    graph = helper.make_graph([], "outputs", [raw], [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR)


def _json(values: Sequence[object]) -> list[object]:
    return [None if value != value else value for value in values]
