"""Which output of a graph is its answer, whatever it is called; and sequences of maps (ZipMap) as a matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime

from headrace.contracts.labels import Label
from headrace.trainer.formats.base import BadArtifact, Wanted

_FLOATS = ("tensor(float)", "tensor(double)", "tensor(float16)")
_LABELS = ("tensor(int64)", "tensor(string)", "tensor(bool)", "tensor(int32)")
_LABEL = "label"


@dataclass(frozen=True)
class Raw:
    """The raw answer of a graph."""

    output: str
    """The output that gives it."""
    value: str
    """The value in the graph that is the matrix: of a ZipMap, what it makes maps of."""
    classes: Sequence[Label] | None = None


def answer_in(model: onnx.ModelProto, session: onnxruntime.InferenceSession, wanted: Wanted) -> tuple[Raw, str | None]:
    """The raw answer, and the graph's own label where it has one; raises BadArtifact where that cannot be known."""
    given = {output.name: output for output in session.get_outputs()}
    chosen = {task: _known(name, task, given) for task, name in wanted.outputs.items()}
    told = chosen.pop(_LABEL, None)
    if len(chosen) > 1:
        raise BadArtifact(f"outputs names {', '.join(chosen)}; name the label, and one other output")
    raw = next(iter(chosen.values()), None) or _only(given, wanted)
    return _raw(model, given[raw]), told or (_label(given) if wanted.classifies else None)


def matrix_of(values: Any, classes: Sequence[Label] | None) -> np.ndarray:
    """An output as a matrix: maps from labels to probabilities, a column, or a matrix already."""
    if isinstance(values, list):
        return np.array([[row[label] for label in classes or ()] for row in values], dtype=np.float64)
    found = np.asarray(values, dtype=np.float64)
    return found[:, None] if found.ndim == 1 else found


def _known(name: str, task: str, given: Mapping[str, Any]) -> str:
    if name not in given:
        raise BadArtifact(f"output {name!r}, named for {task}, is none of the graph's; it gives {_listed(given)}")
    return name


def _only(given: Mapping[str, Any], wanted: Wanted) -> str:
    found = [name for name, output in given.items() if output.type in _FLOATS or output.type.startswith("seq(map(")]
    if len(found) == 1:
        return found[0]
    way_on = "probabilities" if wanted.classifies else "prediction"
    if not found:
        raise BadArtifact(
            f"the graph gives no {way_on}; it gives {_listed(given)}. A version is judged by {way_on}: export the "
            "model with them"
        )
    raise BadArtifact(f"the graph gives {_listed(given)}; say which one is meant with --output {way_on}=NAME")


def _label(given: Mapping[str, Any]) -> str | None:
    found = [name for name, output in given.items() if output.type in _LABELS]
    return found[0] if len(found) == 1 else None


def _raw(model: onnx.ModelProto, output: Any) -> Raw:
    if output.type.startswith("seq(map("):
        maker = next((node for node in model.graph.node if output.name in node.output), None)
        if maker is None or maker.op_type != "ZipMap":
            raise BadArtifact(f"output {output.name!r} is a sequence of maps; give a matrix (options: zipmap=False)")
        return Raw(output.name, maker.input[0], classes_of(maker))
    if output.type not in _FLOATS or not 1 <= len(output.shape) <= 2:
        raise BadArtifact(f"output {output.name!r} is a {output.type} of {len(output.shape)} dimensions, no answer")
    return Raw(output.name, output.name)


def classes_of(node: onnx.NodeProto) -> list[Label]:
    """The labels that a node names, in the order of its probabilities."""
    named = {attribute.name: attribute for attribute in node.attribute}
    for name in ("classlabels_int64s", "classlabels_ints"):
        if name in named:
            return list(named[name].ints)
    return [each.decode() for each in named["classlabels_strings"].strings] if "classlabels_strings" in named else []


def _listed(given: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} ({output.type})" for name, output in given.items())
