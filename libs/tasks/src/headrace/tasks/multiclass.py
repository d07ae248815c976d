"""Multiclass: one of three labels or more, with the probability of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

from headrace.contracts import KnownColumn, Options, Signature, Tensor
from headrace.tasks.base import NO_OPTIONS, Outputs, Score, Target, Task, Trivial, Watched, matrix, probabilities
from headrace.tasks.binary import (
    LABEL,
    MOST_NUMBERS,
    TWO,
    distinct,
    fractions,
    one_value,
    read_label,
    too_many,
    watched_labels,
)
from headrace.tasks.errors import BadTarget
from headrace.tasks.labels import FOREIGN, Label, codes, datatype, labels_in, named_labels
from headrace.tasks.metrics.base import TIE
from headrace.tasks.ops import Ops

T = TypeVar("T")
NAME = "multiclass"
PROBABILITIES, LABELS = "probabilities", "labels"  # an output and kind of score; the kind without probabilities
MOST = 100  # labels: each one is a probability in every answer, and a column of every resample
ROWS_A_LABEL = 10  # below so many rows for each number, a quantity may have shown a few of its values only


@dataclass(frozen=True)
class MulticlassTarget(Target):
    """The labels of a model; their codes are their places."""

    task: ClassVar[str] = NAME
    labels: tuple[Label, ...] = ()
    exact: ClassVar[frozenset[str]] = frozenset({LABEL})  # type: ignore[misc]

    def outputs(self) -> list[Tensor]:
        """The label, and one probability for each label, in their order."""
        return [
            Tensor(name=LABEL, datatype=datatype(self.labels), shape=[-1], labels=list(self.labels)),
            Tensor(name=PROBABILITIES, datatype="FP64", shape=[-1, len(self.labels)], labels=list(self.labels)),
        ]

    def answer(self, raw: T, ops: Ops[T]) -> dict[str, T]:
        """The first label whose probability is the greatest; within `TIE` of it counts as equal.

        Float32 sums cannot tell the two sides of a tie apart, as forests have them: the first label wins it.
        """
        found = ops.double(raw)
        best = ops.less(ops.minus(ops.greatest(found), found), ops.number(TIE))
        return {LABEL: ops.pick(ops.first(best), self.labels), PROBABILITIES: found}

    def unsure(self, outputs: Outputs) -> np.ndarray:
        """Rows where another label is at the edge of what counts as equal to the greatest probability."""
        found = outputs[PROBABILITIES]
        behind = found.max(axis=1, keepdims=True) - found
        return np.asarray(((behind > TIE / 2) & (behind < 2 * TIE)).any(axis=1))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """The code of each label; a label that the model does not know is one more class, which it never answers."""
        found = codes(values, self.labels)
        return np.where(found == FOREIGN, len(self.labels), found).astype(np.float64)

    def read(self, value: Any) -> float:
        """The code of a label, however it is written."""
        return read_label(value, self.labels)

    def tells(self, truth: np.ndarray) -> bool:
        """One label alone says nothing."""
        return len(np.unique(truth)) >= TWO

    def remarks(self, truth: np.ndarray) -> Iterator[str]:
        """Labels that no learned row has."""
        if unknown := int((truth == len(self.labels)).sum()):
            told = f"{unknown} of {len(truth)} held-out rows have a label that no learned row has"
            yield f"{told}; they count as answered wrong"

    def score(self, outputs: Outputs) -> Score | None:
        """The probability of each label; without them the label itself, as 0 and 1 for each."""
        width = len(self.labels)
        if PROBABILITIES in outputs:
            return Score(PROBABILITIES, probabilities(matrix(outputs[PROBABILITIES], width)))
        if LABEL not in outputs:
            return None
        found = self.truths(outputs[LABEL])[:, None]
        return Score(LABELS, np.where(np.isfinite(found), found == np.arange(width), np.nan))

    def aligned(self, other: Target, score: np.ndarray) -> np.ndarray:
        """By the labels of this model; what the other says of labels that this one lacks is one more column."""
        super().aligned(other, score)
        found = np.zeros((len(score), len(self.labels) + 1))
        for place, label in enumerate(other.labels):
            found[:, self.labels.index(label) if label in self.labels else -1] += score[:, place]
        return found

    def trivial(self, known: np.ndarray, rows: int, last: float | None) -> list[Trivial]:
        """The share of each label, for every row."""
        width = len(self.labels)
        share = np.bincount(known.astype(np.int64), minlength=width)[:width] / len(known)
        most = self.labels[int(share.argmax())]
        return [Trivial(np.tile(share, (rows, 1)), f"the share of each label, of {most!r} {share.max():.4g}")]

    def watched(self, outputs: Outputs) -> Watched | None:
        """The distribution over the labels."""
        return watched_labels(self, outputs)

    def outcomes(self, outputs: Outputs) -> Mapping[Label, np.ndarray]:
        """How often each label is the answer."""
        if LABEL not in outputs:
            return {}
        found = self.truths(outputs[LABEL])
        return {label: (found == place).astype(np.float64) for place, label in enumerate(self.labels)}


class Multiclass(Task):
    """One of several labels."""

    name = NAME
    about = "one of three labels or more"
    estimators = "classifier"
    scores = frozenset({PROBABILITIES})
    usual = ("log_loss", "accuracy", "balanced_accuracy", "f1_macro", "roc_auc_ovr")
    decisive = ("roc_auc_ovr", 0.99)
    pipeline_tag = "tabular-classification"

    def takes(self, column: KnownColumn) -> bool:
        """Text of some different values, and few whole numbers of which there are enough rows."""
        if column.at_most(TWO) or not column.counted:
            return False
        if column.type == "string":
            return column.at_most(MOST)
        if column.type != "integer" or not column.at_most(MOST_NUMBERS):
            return False
        return column.rows is not None and column.rows >= ROWS_A_LABEL * (column.distinct or 1)

    def doubt(self, column: KnownColumn) -> str | None:
        """Few whole numbers may be a quantity all the same."""
        if column.type == "string":
            return None
        held = f"{column.name!r} holds {column.distinct} different whole numbers"
        return f"because {held}; say `task: regression` where it is a quantity"

    def target_problem(self, column: KnownColumn) -> str | None:
        """Very many values, or true and false."""
        if column.type == "boolean":
            return f"{column.name!r} holds true and false, which are two labels"
        return too_many(column, self.name, MOST)

    def positive_problem(self, positive: Label, column: KnownColumn | None) -> str | None:
        """No label is more positive than the others."""
        return "is for binary; multiclass treats all labels alike"

    def surprises(self, column: KnownColumn) -> Iterator[str]:
        """More labels are still to come."""
        yield from one_value(column)
        if column.counted and column.distinct == TWO:
            yield f"data.target: {column.name!r} holds two values so far; say `task: binary` where these are all"

    def learn(
        self, values: np.ndarray, name: str, positive: Label | None, options: Options = NO_OPTIONS
    ) -> MulticlassTarget:
        """The labels, in order."""
        found = distinct(values, name)
        if fractions(found):
            raise BadTarget(f"target {name!r} holds fractions; a classifier learns labels, declare task: regression")
        if len(found) > MOST:
            told = f"target {name!r} has {len(found)} classes ({named_labels(found)})"
            raise BadTarget(f"{told}; {NAME} tells {MOST} apart at most: put rare labels together")
        return MulticlassTarget(tuple(found))

    def of(self, signature: Signature) -> MulticlassTarget:
        """By the labels that the outputs name."""
        return MulticlassTarget(tuple(labels_in(signature) or labels_in(signature, PROBABILITIES)))

    def bare(self, options: Options = NO_OPTIONS) -> MulticlassTarget:
        """No label is known, and nothing can be judged."""
        return MulticlassTarget()

    def example(self, signal: np.ndarray) -> np.ndarray:
        """Three texts, by the height of the signal."""
        return np.array(["high", "low", "middle"], dtype=object)[
            np.where(signal > 0.5, 0, np.where(signal < -0.5, 1, 2))
        ]
