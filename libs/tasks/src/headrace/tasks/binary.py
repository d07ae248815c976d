"""Binary: one of two labels, with the probability of the positive one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

from headrace.contracts import KnownColumn, Options, Signature, Tensor
from headrace.contracts.errors import shown
from headrace.contracts.labels import same_label
from headrace.tasks.base import NO_OPTIONS, Outputs, Score, Target, Task, Trivial, Watched, numbers, probabilities
from headrace.tasks.errors import BadTarget, BadTruth
from headrace.tasks.labels import FOREIGN, Label, codes, datatype, labels_in, match_label, named_labels, text
from headrace.tasks.ops import Ops

T = TypeVar("T")
NAME = "binary"
LABEL, PROBABILITY = "label", "probability"  # outputs, and the kinds of score that they are
TWO = 2
MOST_NUMBERS = 10  # different whole numbers that are taken for labels rather than for a quantity
EDGE = 2.0**-20  # probabilities this near to one half are one half: eight times what float32 sums differ by there


@dataclass(frozen=True)
class BinaryTarget(Target):
    """The two labels of a model, the negative one first: their codes are 0 and 1."""

    task: ClassVar[str] = NAME
    labels: tuple[Label, ...] = (0, 1)
    exact: ClassVar[frozenset[str]] = frozenset({LABEL})  # type: ignore[misc]

    @property
    def positive(self) -> Label:  # type: ignore[override]
        """The label that figures and `probability` are about."""
        return self.labels[1]

    def outputs(self) -> list[Tensor]:
        """The label, and the probability of the positive one."""
        return [
            Tensor(name=LABEL, datatype=datatype(self.labels), shape=[-1], labels=list(self.labels)),
            Tensor(name=PROBABILITY, datatype="FP64", shape=[-1], label=self.positive),
        ]

    def answer(self, raw: T, ops: Ops[T]) -> dict[str, T]:
        """The positive label where its probability is above one half.

        Float32 sums cannot tell one half from its neighbours, such as the tie of a forest: within `EDGE` it is one
        half, and the label is the negative one.
        """
        found, half = ops.double(ops.column(raw, 1)), ops.number(0.5)
        near = ops.less(ops.magnitude(ops.minus(found, half)), ops.number(EDGE))
        probability = ops.where(near, half, found)
        label = ops.pick(ops.whole(ops.less(half, probability)), self.labels)
        return {LABEL: label, PROBABILITY: probability}

    def unsure(self, outputs: Outputs) -> np.ndarray:
        """Rows at the edge of what counts as one half."""
        return np.asarray(np.abs(np.abs(outputs[PROBABILITY] - 0.5) - EDGE) < EDGE)

    def encode(self, values: np.ndarray) -> np.ndarray:
        """1 for the positive label and 0 for the other."""
        found = codes(values, self.labels)
        if (found == FOREIGN).any():
            foreign = sorted(set(values[found == FOREIGN].tolist()), key=str)
            raise BadTruth(f"{named_labels(foreign)}; the model's labels are {named_labels(self.labels)}")
        return found.astype(np.float64)

    def read(self, value: Any) -> float:
        """1 for the positive label and 0 for the other, however they are written."""
        return read_label(value, self.labels)

    def tells(self, truth: np.ndarray) -> bool:
        """One label alone says nothing."""
        return len(np.unique(truth)) == TWO

    def score(self, outputs: Outputs) -> Score | None:
        """The probability of the positive label; without one the label itself, as 0 and 1."""
        if PROBABILITY in outputs:
            return Score(PROBABILITY, probabilities(numbers(outputs[PROBABILITY])))
        return Score(LABEL, self.truths(outputs[LABEL])) if LABEL in outputs else None

    def aligned(self, other: Target, score: np.ndarray) -> np.ndarray:
        """The other model must mean the same by its probability."""
        super().aligned(other, score)
        if set(other.labels) != set(self.labels):
            raise BadTruth(f"its labels are {named_labels(other.labels)}, not {named_labels(self.labels)}")
        if other.positive != self.positive:
            raise BadTruth("it calls another label positive")
        return score

    def trivial(self, known: np.ndarray, rows: int, last: float | None) -> list[Trivial]:
        """The share of the positive label, for every row."""
        share = known.mean()
        return [Trivial(np.full(rows, share), f"the share of {self.positive!r}, {share:.4g}")]

    def watched(self, outputs: Outputs) -> Watched | None:
        """The probability, else the label."""
        if PROBABILITY in outputs:
            return Watched("numeric", numbers(outputs[PROBABILITY]))
        return watched_labels(self, outputs)

    def outcomes(self, outputs: Outputs) -> Mapping[Label, np.ndarray]:
        """How often the positive label is the answer."""
        if LABEL not in outputs:
            return {}
        return {self.positive: (self.truths(outputs[LABEL]) == 1.0).astype(np.float64)}


class Binary(Task):
    """One of two labels."""

    name = NAME
    about = "one of two labels"
    estimators = "classifier"
    scores = frozenset({PROBABILITY})
    usual = ("roc_auc", "average_precision", "brier")
    decisive = ("roc_auc", 0.99)
    pipeline_tag = "tabular-classification"

    def takes(self, column: KnownColumn) -> bool:
        """Truth values, two values of any kind, and text of which nothing more is known."""
        if column.type == "boolean":
            return True
        if column.type == "string" and not column.counted:
            return True
        return column.type in ("string", "integer", "number") and column.at_most(TWO)

    def doubt(self, column: KnownColumn) -> str | None:
        """Text may turn out to have more labels."""
        if column.type == "string" and not column.counted:
            return f"because {column.name!r} holds text; say `task: multiclass` where it has three labels or more"
        return None

    def target_problem(self, column: KnownColumn) -> str | None:
        """More than two values."""
        return too_many(column, self.name, TWO)

    def positive_problem(self, positive: Label, column: KnownColumn | None) -> str | None:
        """It must be one of the labels, where they are known."""
        if column is None or not column.values or any(same_label(positive, each) for each in column.values):
            return None
        return f"{shown(positive)} is no label of {column.name!r}; its labels are {', '.join(sorted(column.values))}"

    def surprises(self, column: KnownColumn) -> Iterator[str]:
        """A second label is still to come."""
        yield from one_value(column)

    def learn(
        self, values: np.ndarray, name: str, positive: Label | None, options: Options = NO_OPTIONS
    ) -> BinaryTarget:
        """The two labels; the positive one is the greater unless one is named."""
        found = distinct(values, name)
        if len(found) > TWO:
            raise BadTarget(_too_many_labels(name, found))
        if positive is None:
            return BinaryTarget(tuple(found))
        chosen = match_label(positive, found)
        if chosen is None:
            raise BadTarget(f"data.positive is {positive!r}, but target {name!r} holds {named_labels(found)}")
        return BinaryTarget((found[1 - chosen], found[chosen]))

    def of(self, signature: Signature) -> BinaryTarget:
        """By the labels that the outputs name; a model that names none tells 0 and 1 apart."""
        labels = list(labels_in(signature) or (0, 1))
        told = next((tensor.label for tensor in signature.outputs if tensor.label is not None), labels[-1])
        return BinaryTarget((*(each for each in labels if each != told), told)[-TWO:])

    def bare(self, options: Options = NO_OPTIONS) -> BinaryTarget:
        """0 and 1."""
        return BinaryTarget()

    def example(self, signal: np.ndarray) -> np.ndarray:
        """1 where the signal is above 0."""
        return (signal > 0).astype(np.int64)


def read_label(value: Any, labels: Sequence[Label]) -> float:
    """The code of a reported label; raises BadTruth that names the labels."""
    place = match_label(value, labels)
    if place is None:
        raise BadTruth(f"{value_shown(value)} is none of the model's labels, which are {named_labels(labels)}")
    return float(place)


def value_shown(value: Any) -> str:
    """A value as an error shows it; a number of very many digits takes too long to write."""
    return shown(value) if not isinstance(value, int) or value.bit_length() < 256 else "a number of many digits"


def watched_labels(target: Target, outputs: Outputs) -> Watched | None:
    """The distribution of the answers over the labels."""
    if LABEL not in outputs:
        return None
    names = np.array([*map(text, target.labels), None], dtype=object)
    found = target.truths(outputs[LABEL])
    return Watched("categorical", names[np.where(np.isfinite(found), found, FOREIGN).astype(int)])


def distinct(values: np.ndarray, name: str) -> list[Label]:
    """The labels of a target, in order; raises BadTarget where there is one alone."""
    found: list[Label] = sorted(set(values.tolist()))
    if len(found) == 1:
        raise BadTarget(f"target {name!r} is {found[0]!s} in every row; two classes are needed")
    return found


def fractions(found: Sequence[Label]) -> bool:
    """Whether labels are numbers with fractions, which are quantities."""
    return any(isinstance(value, float) and not value.is_integer() for value in found)


def too_many(column: KnownColumn, task: str, most: int) -> str | None:
    """What is said of a target with more values than a task can tell apart."""
    if not column.more_than(most):
        return None
    count = column.distinct or "more different values than are counted"
    return f"{column.name!r} holds {count} different values; {task} tells {most} labels apart"


def one_value(column: KnownColumn) -> Iterator[str]:
    """What is said of a target that holds one value so far."""
    if column.counted and column.distinct == 1:
        yield f"data.target: {column.name!r} holds one value so far; a classifier needs two labels"


def _too_many_labels(name: str, found: Sequence[Label]) -> str:
    if fractions(found):
        return f"target {name!r} holds fractions; a classifier learns labels, declare task: regression"
    told = f"target {name!r} has {len(found)} classes ({named_labels(found)}); binary tells two apart"
    if isinstance(found[0], str):
        return f"{told}; declare task: multiclass"
    way_on = "multiclass, or regression where it is a quantity" if len(found) <= MOST_NUMBERS else "regression"
    return f"{told}; declare task: {way_on}"
