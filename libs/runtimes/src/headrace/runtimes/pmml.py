"""PMML: documents that no graph answers exactly, evaluated with numpy; and the way of a document into a directory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headrace.contracts import Column, Signature
from headrace.contracts.labels import Label
from headrace.pmml import BadPmml, Document, NotExact
from headrace.pmml import load as load_document
from headrace.pmml.sample import rows_for
from headrace.runtimes.base import BadValue, Columns
from headrace.runtimes.directory import GRAPH, Description, onnx_flavor, read_description, write_directory
from headrace.runtimes.errors import BadModel
from headrace.runtimes.onnx import OnnxModel

FILE = "model.pmml"
TOLERANCE = 1e-9  # relative to the size of a number: both compute in float64, in another order at most
_ROWS, _EXAMPLE_ROWS = 2000, 3
_MEMORY = 10  # bytes in memory for each byte of a document, about


@dataclass(frozen=True)
class Naming:
    """What the data call a document's fields and labels."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """By field, where the column has another name."""
    labels: Sequence[Label] = ()
    """In the ascending order of the document's own labels; none where they are called the same."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Naming":
        """As a model directory tells it."""
        return cls(options.get("columns") or {}, options.get("labels") or ())

    @property
    def options(self) -> dict[str, Any]:
        """For the model directory."""
        told = {"columns": dict(self.columns), "labels": list(self.labels)}
        return {name: value for name, value in told.items() if value}

    def column(self, field: str) -> str:
        """The column of a field."""
        return self.columns.get(field, field)

    def signature(self, document: Document, context: Sequence[Column] = ()) -> Signature:
        """What a document takes and gives, in the words of the data."""
        own = document.signature
        inputs = [tensor.model_copy(update={"name": self.column(tensor.name)}) for tensor in own.inputs]
        return own.model_copy(update={"inputs": inputs, "context": list(context) or None})


class PmmlModel:
    """A document in memory."""

    platform = "pmml"
    matrix = None

    def __init__(self, document: Document, signature: Signature, size: int, naming: Naming) -> None:
        self._document = document
        self._fields = {data.name: naming.column(data.name) for data in document.fields}
        self.signature = signature
        self.memory_bytes = _MEMORY * size

    def answer(self, columns: Columns, *, strict: bool = False) -> Mapping[str, np.ndarray]:
        """The outputs by name, one entry a row; with `strict` a float refuses what float32 cannot hold."""
        if strict:
            for data in self._document.fields:
                name = self._fields[data.name]
                _check(name, data.type, columns[name])
        return self._document.answer({field: columns[name] for field, name in self._fields.items()})

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
            data, naming = (folder / FILE).read_bytes(), Naming.of(read_description(folder).options)
            document = load_document(data, _positive(signature), naming.labels)
        except (OSError, BadPmml) as error:
            raise BadModel(f"{folder.name} is no model directory with a PMML document: {error}") from error
        own = naming.signature(document)
        if (own.task, own.inputs, own.outputs) != (signature.task, signature.inputs, signature.outputs):
            raise BadModel(f"{folder.name}: {FILE} takes or gives something else than its signature says")
        return PmmlModel(document, signature, len(data), naming)


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


def save(
    data: bytes,
    folder: Path,
    about: Mapping[str, str],
    positive: Label | None = None,
    naming: Naming | None = None,
    context: Sequence[Column] = (),
    rows: Columns | None = None,
) -> SavedPmml:
    """Write a model directory around a document; raises BadPmml, of what is not evaluated with its name and line.

    `about` has the `run` and when it was `created`; `positive` is the label that `probability` is about, of two;
    `naming` says what the data call fields and labels; `context` are columns that requests may carry beside the fields;
    `rows`, by column, are real ones on which a graph must answer as the document does, too.
    """
    naming = naming or Naming()
    document = load_document(data, positive, naming.labels)
    signature = naming.signature(document, context)
    model = PmmlModel(document, signature, len(data), naming)
    made_up = {naming.column(name): values for name, values in rows_for(document, _ROWS).items()}
    (folder / FILE).write_bytes(data)
    try:
        graph = _graph(document, naming)
        served = OnnxModel(graph, signature)
        difference = max(_difference(model, served, each) for each in (made_up, rows) if each is not None)
    except NotExact as reason:
        saved = SavedPmml(signature, Pmml.name, None, [f"answered with numpy, for no graph is exact: {reason}"])
    else:
        (folder / GRAPH).write_bytes(graph)
        saved = SavedPmml(signature, "onnx", difference, [])
    write_directory(
        folder,
        Description(saved.runtime, signature, "pmml", naming.options if saved.runtime == Pmml.name else {}),
        about=about,
        flavors={
            "pmml": {"data": FILE, "version": document.version},
            **(onnx_flavor() if saved.runtime == "onnx" else {}),
        },
        packages=["headrace-pmml", "numpy", *(["onnx", "onnxruntime"] if saved.runtime == "onnx" else [])],
        example={name: values[:_EXAMPLE_ROWS] for name, values in made_up.items()},
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


def _graph(document: Document, naming: Naming) -> bytes:
    from headrace.pmml.compile import graph_of  # whoever serves has no onnx

    return graph_of(document, naming.columns)


def _difference(model: PmmlModel, graph: OnnxModel, rows: Columns) -> float:
    """The largest difference; raises NotExact above the tolerance, and for any text that differs."""
    own, other = model.answer(rows), graph.answer(rows)
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
