"""PMML: documents that no graph answers exactly, evaluated with numpy; and the way of a document into a directory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headrace.contracts import Signature
from headrace.contracts.labels import Label
from headrace.pmml import BadPmml, Document, NotExact
from headrace.pmml import load as load_document
from headrace.pmml.sample import rows_for
from headrace.runtimes.base import BadValue, Columns
from headrace.runtimes.directory import GRAPH, Description, onnx_flavor, write_directory
from headrace.runtimes.errors import BadModel
from headrace.runtimes.onnx import OnnxModel

FILE = "model.pmml"
TOLERANCE = 1e-9  # relative to the size of a number: both compute in float64, in another order at most
_ROWS, _EXAMPLE_ROWS = 2000, 3
_MEMORY = 10  # bytes in memory for each byte of a document, about


class PmmlModel:
    """A document in memory."""

    platform = "pmml"
    matrix = None

    def __init__(self, document: Document, signature: Signature, size: int) -> None:
        self._document = document
        self.signature = signature
        self.memory_bytes = _MEMORY * size

    def answer(self, columns: Columns, *, strict: bool = False) -> Mapping[str, np.ndarray]:
        """The outputs by name, one entry a row; with `strict` a float refuses what float32 cannot hold."""
        if strict:
            for data in self._document.fields:
                _check(data.name, data.type, columns[data.name])
        return self._document.answer(columns)

    def answer_matrix(self, matrix: np.ndarray) -> Mapping[str, np.ndarray]:
        """The same for rows that lie in one matrix, its columns in the order of the signature."""
        return self.answer({tensor.name: matrix[:, at] for at, tensor in enumerate(self.signature.inputs)})

    def close(self) -> None:
        """Nothing is held that is not given back by itself."""


class Pmml:
    """Loads `model.pmml` of a model directory."""

    name = "pmml"

    def load(self, folder: Path, signature: Signature) -> PmmlModel:
        """Read the document; raises BadModel, also where it answers something else than the signature says."""
        try:
            data = (folder / FILE).read_bytes()
            document = load_document(data, _positive(signature))
        except (OSError, BadPmml) as error:
            raise BadModel(f"{folder.name} is no model directory with a PMML document: {error}") from error
        own = document.signature
        if (own.task, own.inputs, own.outputs) != (signature.task, signature.inputs, signature.outputs):
            raise BadModel(f"{folder.name}: {FILE} takes or gives something else than its signature says")
        return PmmlModel(document, signature, len(data))


@dataclass(frozen=True)
class SavedPmml:
    """What became of a document."""

    signature: Signature
    runtime: str
    """What answers: `onnx` where a graph is exact, else `pmml`."""
    largest_difference: float | None
    """Between graph and document, relative, on rows beside everything that the document names; None without a graph."""
    remarks: Sequence[str]
    """Why there is no graph."""


def save(data: bytes, folder: Path, about: Mapping[str, str], positive: Label | None = None) -> SavedPmml:
    """Write a model directory around a document; raises BadPmml, of what is not evaluated with its name and line.

    `about` has the `run` and when it was `created`; `positive` is the label that `probability` is about, of two.
    """
    document = load_document(data, positive)
    (folder / FILE).write_bytes(data)
    rows = rows_for(document, _ROWS)
    try:
        graph = _graph(document)
        difference = _difference(document, OnnxModel(graph, document.signature), rows)
    except NotExact as reason:
        saved = SavedPmml(
            document.signature, Pmml.name, None, [f"answered with numpy, for no graph is exact: {reason}"]
        )
    else:
        (folder / GRAPH).write_bytes(graph)
        saved = SavedPmml(document.signature, "onnx", difference, [])
    write_directory(
        folder,
        Description(saved.runtime, document.signature, "pmml"),
        about=about,
        flavors={
            "pmml": {"data": FILE, "version": document.version},
            **(onnx_flavor() if saved.runtime == "onnx" else {}),
        },
        packages=["headrace-pmml", "numpy", *(["onnx", "onnxruntime"] if saved.runtime == "onnx" else [])],
        example={name: values[:_EXAMPLE_ROWS] for name, values in rows.items()},
    )
    return saved


def _check(name: str, kind: str, values: Any) -> None:
    if kind not in ("float", "double"):
        return
    with np.errstate(over="ignore"):
        infinite = np.isinf(np.array(values, dtype=np.float32 if kind == "float" else np.float64))
    if infinite.any():
        row = int(infinite.argmax())
        raise BadValue(name, row, values[row])


def _graph(document: Document) -> bytes:
    from headrace.pmml.compile import graph_of  # whoever serves has no onnx

    return graph_of(document)


def _difference(document: Document, graph: OnnxModel, rows: Columns) -> float:
    """The largest difference; raises NotExact above the tolerance, and for any text that differs."""
    own, other = document.answer(rows), graph.answer(rows)
    found = max((_apart(own[name], np.asarray(other[name])) for name in own), default=0.0)
    if not found <= TOLERANCE:
        raise NotExact(f"the graph differs by {found:.2g}")
    return found


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    if one.shape != other.shape:
        return float("inf")
    if one.dtype == object:
        return 0.0 if bool((one == other).all()) else float("inf")
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(one - other) / np.maximum(1.0, np.abs(one)))
    return float(np.max(np.where(np.isnan(apart), np.inf, apart), initial=0.0))


def _positive(signature: Signature) -> Label | None:
    return next((tensor.label for tensor in signature.outputs if tensor.label is not None), None)
