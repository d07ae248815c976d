"""The fast path: any model of ours, answered by ONNX Runtime alone."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from headrace.contracts import Signature
from headrace.frameworks.directory import GRAPH, read_signature
from headrace.frameworks.errors import BadModel
from headrace.frameworks.labels import Label, Labels
from headrace.frameworks.layout import Columns, Layout

LAYOUT_PROPERTY = "headrace.layout"
LABELS_PROPERTY = "headrace.labels"


class OnnxPredictor:
    """A loaded graph. Safe to call from many threads at once; the runtime releases the interpreter while it runs."""

    def __init__(self, session: onnxruntime.InferenceSession, signature: Signature) -> None:
        self._session = session
        properties = session.get_modelmeta().custom_metadata_map
        self._layout = Layout.loads(properties[LAYOUT_PROPERTY])
        self._outputs = [output.name for output in session.get_outputs()]
        self.signature = signature
        ordered: Sequence[Label] | None = json.loads(properties[LABELS_PROPERTY])
        self.labels = Labels(*ordered) if ordered else None
        """The two labels of a classifier; None for a regressor."""

    @property
    def layout(self) -> Layout:
        """How columns lie in the graph's inputs; what `run` takes."""
        return self._layout

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Answer rows that the caller has laid out already: the way of a server that counts microseconds."""
        return dict(zip(self._outputs, self._session.run(self._outputs, feeds), strict=True))

    def predict(self, columns: Columns) -> dict[str, np.ndarray]:
        """Answer one array or list a column; columns that the model does not know are ignored.

        A classifier gives `label` and `probability` (float64, of the positive one), a regressor `prediction`.
        """
        return self.run(self._layout.feeds(columns))


def load_onnx(folder: Path) -> OnnxPredictor:
    """Load the graph of a model directory."""
    try:
        return OnnxPredictor(_session((folder / GRAPH).read_bytes()), read_signature(folder))
    except (OSError, KeyError, ValueError) as error:
        raise BadModel(f"{folder.name} is no model directory with an ONNX graph: {error}") from error


def from_bytes(graph: bytes, signature: Signature) -> OnnxPredictor:
    """A predictor of a graph in memory."""
    return OnnxPredictor(_session(graph), signature)


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
