"""From what a program saved to a model directory that a runtime answers, and the proof that its answers make sense."""

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headrace.code import protocol
from headrace.contracts import Signature, Tensor
from headrace.contracts.labels import named_labels
from headrace.frameworks.base import About, Fitted, Saved
from headrace.frameworks.code.estimators import exported
from headrace.frameworks.code.graphs import served_graph
from headrace.frameworks.errors import CodeFailed
from headrace.frameworks.export import columns_of
from headrace.frameworks.signature import signature_of
from headrace.runtimes import BadModel, Description, Model, load, refuse_pickle, write_directory
from headrace.runtimes.datatypes import NUMPY
from headrace.runtimes.directory import onnx_flavor

_EXAMPLE_ROWS = 3
_PACKAGES = ("numpy", "onnxruntime")


@dataclass(frozen=True)
class Served:
    """How a directory is answered, and how far its graph is from what was fitted."""

    runtime: str
    options: Mapping[str, Any] = field(default_factory=dict)
    flavors: Mapping[str, Any] = field(default_factory=dict)
    difference: float = 0.0


def model_directory(fitted: Fitted, folder: Path, about: About) -> Saved:
    """Write it; raises CodeFailed or ExportRefused with what is wrong and what would be right."""
    saved = Path(fitted.pipeline)
    made = next((make for name, make in _KINDS.items() if (saved / name).is_file()), None)
    if made is None:
        there = ", ".join(sorted(each.name for each in saved.iterdir())) or "nothing"
        raise CodeFailed("answer", f"a model is one of {', '.join(_KINDS)}; it saved {there}")
    served = made(saved, folder, fitted)
    signature = signature_of(fitted.recipe, fitted.target)
    write_directory(
        folder,
        Description(served.runtime, signature, "code", served.options),
        about={"run": about.run, "created": about.created.isoformat()},
        flavors=served.flavors,
        packages=_PACKAGES,
        example={name: _json(values) for name, values in _asked(signature, fitted, _EXAMPLE_ROWS).items()},
    )
    _prove(folder, fitted)
    return Saved(signature=signature, largest_difference=served.difference)


def _process(saved: Path, folder: Path, fitted: Fitted) -> Served:
    """A program that answers: everything that was saved belongs to it."""
    try:
        options = json.loads((saved / protocol.PROCESS).read_text())
    except (ValueError, RecursionError) as error:
        raise CodeFailed("answer", f"{protocol.PROCESS} is no JSON: {error}") from error
    if not isinstance(options, dict):
        raise CodeFailed("answer", f"{protocol.PROCESS} is no JSON object")
    shutil.copytree(saved, folder, dirs_exist_ok=True)
    return Served("process", options)


def _graph(saved: Path, folder: Path, fitted: Fitted) -> Served:
    (folder / protocol.GRAPH).write_bytes(served_graph((saved / protocol.GRAPH).read_bytes(), fitted))
    return Served("onnx", flavors=onnx_flavor())


def _estimator(saved: Path, folder: Path, fitted: Fitted) -> Served:
    if fitted.target.by_name:
        told = f"task {fitted.target.task} has outputs of its own, which no estimator gives"
        raise CodeFailed("answer", f"{told}; save an ONNX graph, or a folder with {protocol.PROCESS}")
    data = (saved / protocol.ESTIMATOR).read_bytes()
    graph, difference = exported(data, fitted)
    (folder / protocol.GRAPH).write_bytes(graph)
    (folder / protocol.ESTIMATOR).write_bytes(data)
    return Served("onnx", flavors=onnx_flavor(), difference=difference)


_KINDS: Mapping[str, Callable[[Path, Path, Fitted], Served]] = {
    protocol.PROCESS: _process,
    protocol.GRAPH: _graph,
    protocol.ESTIMATOR: _estimator,
}


def _prove(folder: Path, fitted: Fitted) -> None:
    """Ask the directory about rows that were learned: it must load, and every answer must be one of its task."""
    try:
        refuse_pickle(folder)
        with closing(load(folder)) as model:
            _judge(model, fitted)
    except BadModel as error:  # pickle too
        raise CodeFailed("answer", f"what it saved is no model that can serve: {error}") from error


def _judge(model: Model, fitted: Fitted) -> None:
    rows = len(fitted.sample)
    try:
        outputs = model.answer(_asked(model.signature, fitted, rows))
    except Exception as error:  # the runtimes' own errors have no common base
        raise CodeFailed("answer", f"the model does not answer: {' '.join(str(error).split())[:500]}") from error
    for tensor in model.signature.outputs:
        _judge_output(tensor, np.asarray(outputs[tensor.name]), rows)
        if fitted.target.by_name:
            _judge_datatype(tensor, np.asarray(outputs[tensor.name]))
    score = fitted.target.score(outputs)
    if score is not None and not score.known.all():
        unknown = int((~score.known).sum())
        raise CodeFailed("answer", f"{unknown} of {rows} answers are NaN, infinite or no probabilities")


def _judge_output(tensor: Tensor, values: np.ndarray, rows: int) -> None:
    sizes = zip(tensor.shape[1:], values.shape[1:], strict=False)
    if (
        values.shape[:1] != (rows,)
        or values.ndim != len(tensor.shape)
        or any(size not in (-1, given) for size, given in sizes)
    ):
        text = f"output {tensor.name!r} has shape {list(values.shape)} for {rows} rows; its task wants {tensor.shape}"
        raise CodeFailed("answer", text)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).any(axis=tuple(range(1, values.ndim))).sum())
        raise CodeFailed("answer", f"output {tensor.name!r} is NaN or infinite in {bad} of {rows} rows")
    if tensor.labels and values.ndim == 1 and (foreign := set(values.tolist()) - set(tensor.labels)):
        named = f"{named_labels(sorted(foreign, key=str)[:5])}; the labels are {named_labels(tensor.labels)}"
        raise CodeFailed("answer", f"output {tensor.name!r} has labels that nobody knows: {named}")


def _judge_datatype(tensor: Tensor, values: np.ndarray) -> None:
    """What is declared is promised to callers; nothing is converted on the way."""
    wanted = NUMPY.get(tensor.datatype, np.dtype(object))
    if values.dtype != wanted:
        told = next((name for name, kind in NUMPY.items() if kind == values.dtype), "BYTES")
        raise CodeFailed("answer", f"output {tensor.name!r} is {told}; {tensor.datatype} is declared")


def _asked(signature: Signature, fitted: Fitted, rows: int) -> dict[str, np.ndarray]:
    """The first rows of the sample as a request has them."""
    return fitted.target.requested(signature.inputs, columns_of(fitted.sample.head(rows)))


def _json(values: np.ndarray) -> list[Any]:
    return [None if value is None or value != value else value for value in values.tolist()]
