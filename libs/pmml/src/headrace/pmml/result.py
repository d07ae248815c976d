"""What a model answers, before outputs are named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from headrace.pmml.columns import Column, literal, pick
from headrace.pmml.ops import Ops

T = TypeVar("T")


@dataclass
class Result(Generic[T]):
    """A number, or a label with what is known of each."""

    value: T | None = None
    """The number; missing where the model has no answer."""
    labels: Sequence[str] = ()
    """The labels, as the document writes them and in its order."""
    label: T | None = None
    """The place of the label; missing where the model has no answer."""
    probabilities: T | None = None
    """[rows, labels]"""
    extras: Mapping[str, Column[T]] = field(default_factory=dict)
    """What else output fields may ask for, by the name of their feature."""
    reasons: Sequence[Column[T]] = ()
    """Reason codes, the most important one first."""

    @property
    def answer(self) -> T:
        """The number, or the place of the label."""
        found = self.value if self.label is None else self.label
        assert found is not None, "a model answers one of both"
        return found

    def predicted(self, ops: Ops[T], kind: str, line: int) -> Column[T]:
        """The answer as a column of the target's type."""
        if self.label is None:
            return Column(self.answer, kind)
        table = np.array([literal(ops, label, kind, line) for label in self.labels])
        return Column(pick(ops, table, self.label), kind)


def arranged(ops: Ops[T], result: Result[T], labels: Sequence[str]) -> T | None:
    """The probabilities in another order of the labels; 0 for a label that the result does not know."""
    if result.probabilities is None or list(result.labels) == list(labels):
        return result.probabilities
    none = ops.number(0.0)
    known = {label: place for place, label in enumerate(result.labels)}
    columns = [ops.column(result.probabilities, known[each]) if each in known else none for each in labels]
    return ops.stack(columns)


def decided(ops: Ops[T], labels: Sequence[str], probabilities: T) -> Result[T]:
    """The first label with the greatest probability; no answer where one is missing."""
    known = ops.known(ops.total(probabilities))
    place = ops.first(probabilities)
    return Result(labels=labels, label=ops.where(known, place, ops.number(float("nan"))), probabilities=probabilities)
