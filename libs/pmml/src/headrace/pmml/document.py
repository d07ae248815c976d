"""A PMML document: read once, evaluated on arrays, or built into a graph."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from headrace.contracts import Signature, Tensor
from headrace.contracts.labels import Label, match_label, named_labels
from headrace.pmml.arrays import ArrayOps
from headrace.pmml.columns import TEXT, TRUTH, WHOLE, Column, missing, pick, typed
from headrace.pmml.errors import BadPmml, Unsupported
from headrace.pmml.expressions import Defined, Derived, read_all_derived, read_functions
from headrace.pmml.fields import DataField, check_type, read_dictionary
from headrace.pmml.models import MODELS, Model, read_model
from headrace.pmml.models.base import answered, entered
from headrace.pmml.names import BINARY, LABEL, MULTICLASS, PREDICTION, PROBABILITIES, PROBABILITY, REGRESSION
from headrace.pmml.ops import Ops
from headrace.pmml.result import Result, arranged
from headrace.pmml.scope import Run, Scope
from headrace.pmml.xml import Element, read

T = TypeVar("T")
VERSIONS = ("4.0", "4.1", "4.2", "4.2.1", "4.3", "4.4", "4.4.1")
_DATATYPES = {TEXT: "BYTES", TRUTH: "BOOL", WHOLE: "INT64"}
_TWO = 2


@dataclass(frozen=True)
class Answer(Generic[T]):
    """One output: numbers, or places in a table of words, whose last entry stands for missing."""

    data: T
    words: Sequence[Any] | None = None


@dataclass(frozen=True)
class Document:
    """What was read, with the words that it knows."""

    version: str
    root: Element
    dictionary: Mapping[str, DataField]
    derived: Mapping[str, Derived]
    functions: Mapping[str, Defined]
    model: Model
    words: Sequence[str]
    signature: Signature
    named: Sequence[Label] = ()
    """What the data call its labels, in the ascending order of its own; none where they call them the same."""

    @property
    def kind(self) -> str:
        """The element of the model."""
        return _model_of(self.root).tag

    @property
    def fields(self) -> Sequence[DataField]:
        """The fields that the model takes."""
        return [self.dictionary[each.name] for each in self.signature.inputs]

    def answer(self, columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The outputs of the signature for columns of values; None and NaN are missing, and the empty text is."""
        rows = len(next(iter(columns.values()), ()))
        ops = ArrayOps(rows, self.words)
        inputs = {tensor.name: _array(ops, tensor, columns[tensor.name]) for tensor in self.signature.inputs}
        with np.errstate(all="ignore"):
            answers = self.run(ops, inputs)
        return {tensor.name: _told(ops, tensor, answers[tensor.name]) for tensor in self.signature.outputs}

    def run(self, ops: Ops[T], inputs: Mapping[str, T]) -> dict[str, Answer[T]]:
        """Every output of the signature, in the terms of some operations."""
        result, named, refused = _evaluated(self, ops, inputs)
        answers = {**_standard(self, ops, result), **_extras(ops, self.signature, named)}
        if refused is None:
            return answers
        wide = {tensor.name for tensor in self.signature.outputs if len(tensor.shape) > 1}
        masks = {True: ops.less(ops.number(0.5), ops.upright(ops.flag(refused))), False: refused}
        return {
            name: Answer(ops.where(masks[name in wide], missing(ops), answer.data), answer.words)
            for name, answer in answers.items()
        }


def load(data: bytes, positive: Label | None = None, named: Sequence[Label] = ()) -> Document:
    """Read a document; raises BadPmml, of what is not evaluated Unsupported, with the line.

    `positive` is the label that `probability` is about where there are two; the greater one where it is not said.
    `named` are other names for its labels, in the ascending order of its own.
    """
    root = read(data)
    _check_root(root)
    dictionary = read_dictionary(root.one("DataDictionary"))
    transformations = root.first("TransformationDictionary")
    model = read_model(_model_of(root), dictionary)
    bare = Document(
        version=root.need("version"),
        root=root,
        dictionary=dictionary,
        derived=read_all_derived(transformations),
        functions=read_functions(transformations),
        model=model,
        words=(),
        signature=Signature(task=REGRESSION, inputs=_inputs(model, dictionary), outputs=[]),
        named=named,
    )
    return _tried(bare, positive)


def _tried(bare: Document, positive: Label | None) -> Document:
    """Evaluate one row of missing values: what is wrong anywhere comes out now, and every word is met."""
    ops = ArrayOps(1)
    nothing = {tensor.name: np.full(1, math.nan) for tensor in bare.signature.inputs}
    with np.errstate(all="ignore"):
        result, named, _ = _evaluated(bare, ops, nothing)
    outputs = [*_outputs(bare, result, positive), *_extra_outputs(bare, named)]
    task = REGRESSION if result.label is None else (BINARY if len(result.labels) == _TWO else MULTICLASS)
    signature = Signature(task=task, inputs=bare.signature.inputs, outputs=outputs)
    parts = {name: getattr(bare, name) for name in bare.__dataclass_fields__}
    return Document(**{**parts, "words": tuple(ops.words), "signature": signature})


def _evaluated(
    document: Document, ops: Ops[T], inputs: Mapping[str, T]
) -> tuple[Result[T], Mapping[str, Column[T]], T | None]:
    run: Run[T] = Run(ops)
    values = {}
    for name, data in inputs.items():
        kind = check_type(document.dictionary[name])
        single = ops.single(data) if kind == "float" else data
        values[name] = Column(single, kind, open=kind == TEXT)
    outer = Scope(run, values, document.derived, document.functions)
    fields = entered(document.model.head, outer)
    # transformations of the whole document see the fields as the model takes them
    shared = Scope(run, fields.values, document.derived, document.functions)
    result, named = answered(document.model, shared.inner({}, document.model.head.derived))
    return result, named, run.refused


def _check_root(root: Element) -> None:
    if root.tag != "PMML":
        raise BadPmml(f"the root element is {root.tag}, not PMML", root.line)
    if root.need("version") not in VERSIONS:
        raise Unsupported(f"PMML version {root.need('version')!r} is not supported; 4.0 to 4.4 are", root.line)
    root.only("Header", "MiningBuildTask", "DataDictionary", "TransformationDictionary", *MODELS)


def _model_of(root: Element) -> Element:
    """The first model of a document that has several, as the standard says."""
    return root.one(*MODELS)


def _inputs(model: Model, dictionary: Mapping[str, DataField]) -> list[Tensor]:
    found = []
    for mining in model.head.schema:
        if mining.is_active:
            if mining.name not in dictionary:
                raise BadPmml(f"field {mining.name!r} is not in the DataDictionary", mining.line)
            kind = _DATATYPES.get(check_type(dictionary[mining.name]), "FP64")
            nullable = mining.missing != "returnInvalid"
            found.append(Tensor(name=mining.name, datatype=kind, shape=[-1], nullable=nullable))
    if not found:
        raise BadPmml("the model takes no field", model.head.line)
    return found


def _labels(document: Document, result: Result[Any], positive: Label | None) -> list[Label]:
    """In ascending order, with the type of the target; of two the positive one is the last."""
    found = sorted(_called(document, result))
    if len(set(found)) < _TWO:
        line = document.model.head.line
        raise BadPmml(f"the model tells {named_labels(found)} only; two labels or more are needed", line)
    if positive is not None and len(found) == _TWO:
        place = match_label(positive, found)
        if place is None:
            raise BadPmml(f"{positive!r} is no label of the model; these are {named_labels(found)}")
        found = [found[1 - place], found[place]]
    return found


def _called(document: Document, result: Result[Any]) -> list[Any]:
    """The labels in the order of the result, as the data call them."""
    head = document.model.head
    own = [_label(text, head.target_type, head.line) for text in result.labels]
    if not document.named:
        return own
    places = sorted(set(own))
    if len(document.named) != len(places):
        raise BadPmml(f"{named_labels(document.named)} are no names for the model's labels {named_labels(places)}")
    return [document.named[places.index(each)] for each in own]


def _label(text: str, kind: str, line: int) -> Any:
    found = typed(text, kind, line)
    if kind == TRUTH:
        return bool(found)
    return int(found) if kind == WHOLE else found


def _outputs(document: Document, result: Result[Any], positive: Label | None) -> list[Tensor]:
    if result.label is None:
        return [Tensor(name=PREDICTION, datatype="FP64", shape=[-1])]
    labels = _labels(document, result, positive)
    # a row may have no answer: whole numbers and truth values have no missing value of their own
    datatype = "BYTES" if isinstance(labels[0], str | bool) else "FP64"
    found = [Tensor(name=LABEL, datatype=datatype, shape=[-1], labels=labels)]
    if result.probabilities is None:
        return found
    if len(labels) == _TWO:
        return [*found, Tensor(name=PROBABILITY, datatype="FP64", shape=[-1], label=labels[1])]
    return [*found, Tensor(name=PROBABILITIES, datatype="FP64", shape=[-1, len(labels)], labels=labels)]


def _extra_outputs(document: Document, named: Mapping[str, Column[Any]]) -> list[Tensor]:
    taken = {LABEL, PROBABILITY, PROBABILITIES, PREDICTION}
    found = []
    for each in document.model.head.outputs:
        if each.is_extra:
            if each.name in taken:
                raise Unsupported(f"an output field named {each.name!r}, which is a name of the task", each.line)
            taken.add(each.name)
            datatype = "BYTES" if named[each.name].is_text else "FP64"
            found.append(Tensor(name=each.name, datatype=datatype, shape=[-1]))
    return found


def _standard(document: Document, ops: Ops[T], result: Result[T]) -> dict[str, Answer[T]]:
    """The task's own outputs."""
    if result.label is None:
        return {PREDICTION: Answer(result.answer)}
    tensor = next(each for each in document.signature.outputs if each.name == LABEL)
    labels = list(tensor.labels or ())
    order = [labels.index(each) for each in _called(document, result)]
    words = [_word(label) for label in labels]
    answers = {LABEL: Answer(pick(ops, np.array(order, dtype=np.float64), result.label), [*words, _nothing(words[0])])}
    if result.probabilities is None:
        return answers
    if len(labels) == _TWO:
        return {**answers, PROBABILITY: Answer(ops.column(result.probabilities, order.index(1)))}
    texts = [result.labels[order.index(place)] for place in range(len(labels))]
    found = arranged(ops, result, texts)
    assert found is not None, "probabilities that are there are there in any order"
    return {**answers, PROBABILITIES: Answer(found)}


def _extras(ops: Ops[T], signature: Signature, named: Mapping[str, Column[T]]) -> dict[str, Answer[T]]:
    answers = {}
    for tensor in signature.outputs:
        if tensor.name in named and tensor.name not in (LABEL, PROBABILITY, PROBABILITIES, PREDICTION):
            column = named[tensor.name]
            if column.open:
                ops.only_arrays(f"the output {tensor.name!r}, which may be any text")
            answers[tensor.name] = Answer(column.data, [*ops.words, ""] if column.is_text else None)
    return answers


def _word(label: Label) -> Any:
    if isinstance(label, bool):
        return "true" if label else "false"
    return label if isinstance(label, str) else float(label)


def _nothing(word: Any) -> Any:
    return "" if isinstance(word, str) else math.nan


def _array(ops: ArrayOps, tensor: Tensor, values: Any) -> np.ndarray:
    return ops.encoded(values) if tensor.datatype == "BYTES" else np.array(values, dtype=np.float64)


def _told(ops: ArrayOps, tensor: Tensor, answer: Answer[np.ndarray]) -> np.ndarray:
    if len(tensor.shape) > 1:
        return np.ascontiguousarray(np.broadcast_to(answer.data, (ops.rows, tensor.shape[1])))
    data = ops.full(answer.data)
    if answer.words is None:
        return np.array(data)
    kind = object if tensor.datatype == "BYTES" else np.float64
    places = np.where(np.isnan(data), len(answer.words) - 1, data).astype(np.int64)
    return np.array(answer.words, dtype=kind)[places]
