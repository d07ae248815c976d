"""From an artifact's graph to the graph that serves: it takes the dataset's columns, and gives the task's outputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from headrace.contracts import Column, Signature, Tensor
from headrace.contracts.labels import Label, match_label, named_labels
from headrace.frameworks.graph import OPSET, GraphOps
from headrace.runtimes.onnx import LAYOUT_PROPERTY
from headrace.tasks import BadTarget, Target, task_named
from headrace.trainer.formats.base import BadArtifact, Given, GraphArtifact, Wanted
from headrace.trainer.formats.surgery import Surgeon, layout_of, opset_of

LABEL = "label"
_DATATYPES = {"boolean": "BOOL", "integer": "INT64", "number": "FP64", "string": "BYTES"}
_FEW = 3  # rows that show how wide an answer is
_SURE = 1e-3  # of the sum of a row's probabilities: float32 sums are a hundred times nearer


@dataclass(frozen=True)
class Answers:
    """What the raw answer of an artifact means."""

    target: Target
    width: int
    """Columns of the raw answer."""
    order: Sequence[int] | None
    """For each label by code its place in the raw answer; None where answers are no labels."""
    labels: Sequence[Label]
    """The artifact's labels as the data write them, in the artifact's order."""
    keeps_label: bool = False
    """Whether the artifact's own label is the answer, whatever the probabilities say."""

    def raw(self, found: np.ndarray) -> np.ndarray:
        """A raw answer as the task takes it; raises BadArtifact where it holds no probabilities."""
        if self.order is None:
            return found
        both = np.column_stack([1 - found[:, 0], found[:, 0]]) if found.shape[1] == 1 else found
        _must_be_probabilities(both)
        return np.asarray(both[:, list(self.order)])


@dataclass(frozen=True)
class TakenOver:
    """A graph that serves, with its interface."""

    graph: bytes
    signature: Signature


def answers_of(artifact: GraphArtifact, wanted: Wanted, given: Given) -> Answers:
    """What an artifact's answers mean for the values of the target in the data; raises BadArtifact."""
    values = list(given.known)
    width = artifact.own(given.rows.head(_FEW)).shape[1]
    if not wanted.classifies:
        target = learned(np.array(values), wanted, given.positive)
        if width != target.width:
            raise BadArtifact(_other_width(width, target, wanted))
        return Answers(target, width, None, ())
    labels = labels_of(artifact.labels, sorted(set(values)), given.labels, max(2, width), wanted)
    target = learned(_array(labels), wanted, given.positive)
    order = [labels.index(label) for label in target.labels]
    return Answers(target, width, order, labels, LABEL in wanted.outputs and artifact.label is not None)


def take_over(artifact: GraphArtifact, answers: Answers, context: Sequence[Column]) -> TakenOver:
    """The graph with its end, and how columns lie in its inputs."""
    model = artifact.graph
    end_of(artifact, answers)
    if artifact.inputs.datatypes is None:
        helper.set_model_props(model, {LAYOUT_PROPERTY: layout_of(artifact.inputs.columns).dumps()})
    else:
        del model.metadata_props[:]
    return TakenOver(bytes(model.SerializeToString()), signature_of(artifact, answers.target, context))


def end_of(artifact: GraphArtifact, answers: Answers) -> None:
    """Write the end of the graph, in the operations of its task."""
    model = artifact.graph
    if opset_of(model) == 0:
        model.opset_import.append(helper.make_opsetid("", OPSET))
    raw = _raw_value(artifact, answers)
    ops = GraphOps(model.graph, opset=opset_of(model))
    found = answers.target.answer(raw, ops)
    tensors = {tensor.name: tensor for tensor in answers.target.outputs()}
    if answers.keeps_label:
        found[LABEL] = _own_label(artifact, tensors[LABEL])
    ops.finish(found, tensors)
    _prune(model.graph)


def signature_of(artifact: GraphArtifact, target: Target, context: Sequence[Column]) -> Signature:
    """What serves takes and gives."""
    return Signature(
        task=target.task,
        inputs=_inputs(artifact),
        outputs=target.outputs(),
        context=list(context) or None,
        task_options=dict(target.options) or None,
    )


def learned(values: np.ndarray, wanted: Wanted, positive: Label | None) -> Target:
    """The target, as its task knows it by these values; raises BadArtifact."""
    try:
        return task_named(wanted.task).learn(values, wanted.target, positive, wanted.options)
    except BadTarget as error:
        raise BadArtifact(f"the model's answers do not fit the task {wanted.task}: {error}") from error


def _other_width(width: int, target: Target, wanted: Wanted) -> str:
    """Why so many numbers are no answer of the task."""
    levels = f", the quantiles {', '.join(f'{each:g}' for each in target.levels)}" if target.levels else ""
    return (
        f"the model gives {width} number{'s' if width > 1 else ''} for a row, and the task {wanted.task} takes "
        f"{target.width}{levels}; name another output with --output, or declare another task or other task_options"
    )


def labels_of(
    own: Sequence[Label] | None,
    known: Sequence[Label],
    given: Sequence[Label] | None,
    width: int,
    wanted: Wanted,
) -> list[Label]:
    """The artifact's labels in its order, with the type that the data gave them."""
    told = given if given is not None else own
    if told is None:
        if len(known) != width:
            raise BadArtifact(_unsure(f"has {width} labels and does not name them", known, wanted))
        told = known
    if len(told) != width:
        raise BadArtifact(f"the model gives {width} probabilities, and labels names {named_labels(list(told))}")
    typed = [_typed(label, known) for label in told]
    if given is None and not set(typed) & set(known):
        raise BadArtifact(_unsure(f"knows the labels {named_labels(list(told))}", known, wanted))
    kinds = {type(label) for label in (*typed, *known)}
    if len(kinds) > 1 and not kinds <= {int, float}:
        raise BadArtifact(_unsure(f"knows the labels {named_labels(list(told))}", known, wanted))
    if len(set(typed)) < len(typed):
        raise BadArtifact(f"labels names one twice: {named_labels(typed)}")
    return typed


def _typed(label: Label, known: Sequence[Label]) -> Label:
    if known and isinstance(known[0], bool) and not isinstance(label, str) and label in (0, 1):
        return bool(label)
    place = match_label(label, known)
    return label if place is None else known[place]


def _unsure(what: str, known: Sequence[Label], wanted: Wanted) -> str:
    return (
        f"the model {what}, and {wanted.target!r} of dataset {wanted.dataset} holds {named_labels(list(known))}; name "
        "the data's labels in the model's order with --labels"
    )


def _array(labels: Sequence[Label]) -> np.ndarray:
    return np.array(list(labels), dtype=object if isinstance(labels[0], str) else None)


def _must_be_probabilities(found: np.ndarray) -> None:
    known = found[np.isfinite(found).all(axis=1)]
    wrong = (known < -_SURE).any(axis=1) | (np.abs(known.sum(axis=1) - 1) > _SURE)
    if wrong.any():
        row = ", ".join(f"{value:.4g}" for value in known[wrong][0][:5])
        raise BadArtifact(
            f"the model's answers are no probabilities: those of a row are {row}; give them between 0 and 1 and with "
            "the sum 1 (a last layer softmax or sigmoid), or name another output with --output"
        )


def _raw_value(artifact: GraphArtifact, answers: Answers) -> str:
    """The raw answer as the task takes it: a matrix, its columns by code."""
    surgeon = Surgeon(artifact.graph, "headrace_out_")
    raw = surgeon.node("Cast", [artifact.raw], to=TensorProto.DOUBLE)
    if answers.width == 1:
        raw = surgeon.node("Reshape", [raw, surgeon.constant(TensorProto.INT64, [-1, 1], [2])])
    if answers.order is not None and answers.width == 1:
        one = surgeon.constant(TensorProto.DOUBLE, [1.0], [1])
        raw = surgeon.node("Concat", [surgeon.node("Sub", [one, raw]), raw], axis=1)
    if answers.order is not None and list(answers.order) != sorted(answers.order):
        raw = surgeon.gathered(raw, answers.order)
    surgeon.behind()
    return raw


def _own_label(artifact: GraphArtifact, tensor: Tensor) -> str:
    surgeon = Surgeon(artifact.graph, "headrace_label_")
    value = surgeon.node("Reshape", [artifact.label or "", surgeon.constant(TensorProto.INT64, [-1], [1])])
    surgeon.behind()
    return value


def _inputs(artifact: GraphArtifact) -> list[Tensor]:
    """A column's own type where the graph takes matrices, which every number fits; else the graph's own."""
    own = artifact.inputs.datatypes or {}
    return [
        Tensor(
            name=column.name,
            datatype=own.get(column.name, _DATATYPES.get(column.type, "FP64")),
            shape=[-1],
            nullable=column.nullable and not own.get(column.name, "FP").startswith(("INT", "UINT", "BOOL")),
        )
        for column in artifact.inputs.columns
    ]


def _prune(graph: onnx.GraphProto) -> None:
    """Take out what no output needs: a label of the graph's own, maps of probabilities."""
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= _used(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    for named in (graph.initializer, graph.value_info):
        left = [each for each in named if each.name in needed]
        del named[:]
        named.extend(left)


def _used(node: onnx.NodeProto) -> set[str]:
    """The values that a node takes, and those that graphs within it may take from outside."""
    found = set(node.input)
    for attribute in node.attribute:
        for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            found |= {name for inner in graph.node for name in _used(inner)} | {each.name for each in graph.output}
    return found
