"""ONNX Runtime: artifacts that are one graph.

A graph takes its inputs in one of two ways. The graphs that we write take all numbers as one float32 or float64
matrix and all strings as another one, and say in their properties which column lies where. Any other graph takes one
tensor for each input of the signature, under the same name.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from headrace.contracts import Signature
from headrace.runtimes.base import Columns
from headrace.runtimes.directory import GRAPH
from headrace.runtimes.errors import BadModel
from headrace.runtimes.layout import NUMBERS, Apart, Layout

LAYOUT_PROPERTY = "headrace.layout"


class OnnxModel:
    """A loaded graph; ONNX Runtime releases the interpreter while it runs."""

    platform = "onnx_onnxruntime"

    def __init__(self, graph: bytes, signature: Signature) -> None:
        self._session = _session(graph)
        self.signature = signature
        self.memory_bytes = len(graph)
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._run: Callable[[list[str], dict[str, np.ndarray]], list[np.ndarray]] = self._session.run
        self._layout = _layout(self._session, signature)
        names = tuple(tensor.name for tensor in signature.inputs)
        self.matrix = self._layout.one_matrix(names)

    def answer(self, columns: Columns, *, strict: bool = False) -> Mapping[str, np.ndarray]:
        """The outputs by name, one entry a row."""
        return self._answered(self._layout.feeds(columns, strict=strict))

    def answer_matrix(self, matrix: np.ndarray) -> Mapping[str, np.ndarray]:
        """The same for rows that lie in the graph's one matrix already."""
        return self._answered({NUMBERS: matrix})

    def close(self) -> None:
        """Give the graph's memory back."""
        del self._session, self._run

    def _answered(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self._outputs, self._run(self._outputs, feeds), strict=True))


class Onnx:
    """Loads `model.onnx` of a model directory."""

    name = "onnx"

    def load(self, folder: Path, signature: Signature) -> OnnxModel:
        """Load the graph; raises BadModel."""
        try:
            return OnnxModel((folder / GRAPH).read_bytes(), signature)
        except (OSError, KeyError, ValueError) as error:
            raise BadModel(f"{folder.name} is no model directory with an ONNX graph: {error}") from error


def _layout(session: onnxruntime.InferenceSession, signature: Signature) -> Layout | Apart:
    """How columns lie in the graph's inputs; raises BadModel where the graph is another one than the signature says."""
    told = session.get_modelmeta().custom_metadata_map.get(LAYOUT_PROPERTY)
    ranks = {each.name: len(each.shape) for each in session.get_inputs()}
    layout = Layout.loads(told) if told else Apart.of(signature, ranks)
    wanted, there = {tensor.name for tensor in signature.inputs}, set(layout.names)
    if wanted != there:
        raise BadModel(f"the graph takes {_listed(there)}, its signature says {_listed(wanted)}")
    given = {output.name for output in session.get_outputs()}
    if missing := {tensor.name for tensor in signature.outputs} - given:
        raise BadModel(
            f"the graph does not give {_listed(missing)}, which its signature names; it gives {_listed(given)}"
        )
    return layout


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _session(graph: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # One thread a call: a server runs many calls side by side, and handing one row to a pool costs more than the row.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors have no common base but Exception
        raise BadModel(f"the ONNX graph cannot be loaded: {error}") from error
