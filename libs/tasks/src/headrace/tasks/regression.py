"""Regression: a number."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

from headrace.contracts import KnownColumn, Options, Signature, Tensor
from headrace.tasks.base import NO_OPTIONS, Outputs, Score, Target, Task, Trivial, Watched, numbers
from headrace.tasks.binary import TWO, value_shown
from headrace.tasks.errors import BadTarget, BadTruth
from headrace.tasks.labels import Label
from headrace.tasks.ops import Ops

T = TypeVar("T")
NAME = "regression"
PREDICTION = "prediction"  # the output, and the kind of score
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")  # as JSON writes numbers
_HOLDS = {"string": "text", "boolean": "true and false"}


@dataclass(frozen=True)
class RegressionTarget(Target):
    """Any finite number."""

    task: ClassVar[str] = NAME

    def outputs(self) -> list[Tensor]:
        """The number."""
        return [Tensor(name=PREDICTION, datatype="FP64", shape=[-1])]

    def answer(self, raw: T, ops: Ops[T]) -> dict[str, T]:
        """The estimator's own number."""
        return {PREDICTION: ops.double(ops.column(raw, 0))}

    def encode(self, values: np.ndarray) -> np.ndarray:
        """The numbers themselves."""
        try:
            return values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise BadTruth(f"what is no number: {error}") from error

    def read(self, value: Any) -> float:
        """A finite number, or the text of one."""
        if isinstance(value, str):
            return _number_of(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadTruth(f"{value_shown(value)} is no number")
        return _finite(value, value_shown(value))

    def score(self, outputs: Outputs) -> Score | None:
        """The number."""
        return Score(PREDICTION, numbers(outputs[PREDICTION])) if PREDICTION in outputs else None

    def trivial(self, known: np.ndarray, rows: int, last: float | None) -> list[Trivial]:
        """The mean, and the last value where the rows are ordered in time, for every row."""
        mean = known.mean()
        found = [Trivial(np.full(rows, mean), f"the mean, {mean:.4g}")]
        return found if last is None else [*found, Trivial(np.full(rows, last), f"the last value, {last:.4g}")]

    def watched(self, outputs: Outputs) -> Watched | None:
        """The number."""
        return Watched("numeric", numbers(outputs[PREDICTION])) if PREDICTION in outputs else None


class Regression(Task):
    """A number."""

    name = NAME
    about = "a number"
    estimators = "regressor"
    scores = frozenset({PREDICTION})
    usual: ClassVar[Sequence[str]] = ("rmse", "mae", "r2")
    decisive = ("r2", 0.99)
    pipeline_tag = "tabular-regression"

    def takes(self, column: KnownColumn) -> bool:
        """Numbers of more than two values; of whole ones it must be known how many there are."""
        if column.type == "number":
            return not column.at_most(TWO)
        return column.type == "integer" and column.more_than(TWO)

    def doubt(self, column: KnownColumn) -> str | None:
        """Numbers may be labels all the same."""
        return f"because {column.name!r} holds numbers; say `task` to choose"

    def target_problem(self, column: KnownColumn) -> str | None:
        """Text, and truth values."""
        holds = _HOLDS.get(column.type or "")
        return f"{column.name!r} holds {holds}; a regression learns numbers" if holds else None

    def positive_problem(self, positive: Label, column: KnownColumn | None) -> str | None:
        """There are no labels."""
        return "is for binary; a regression has no labels"

    def learn(
        self, values: np.ndarray, name: str, positive: Label | None, options: Options = NO_OPTIONS
    ) -> RegressionTarget:
        """Finite numbers."""
        if values.dtype.kind not in "iuf":
            kind = "text" if values.dtype.kind in "OUS" else str(values.dtype)
            way_on = "declare task: binary, or multiclass for more than two labels"
            raise BadTarget(f"target {name!r} holds {kind}; a regressor learns numbers, {way_on}")
        if not np.isfinite(values.astype(np.float64)).all():
            raise BadTarget(f"target {name!r} holds infinite numbers")
        return RegressionTarget()

    def of(self, signature: Signature) -> RegressionTarget:
        """The same for every model."""
        return RegressionTarget()

    def bare(self, options: Options = NO_OPTIONS) -> RegressionTarget:
        """The same for every model."""
        return RegressionTarget()

    def example(self, signal: np.ndarray) -> np.ndarray:
        """A multiple of the signal."""
        return 3 * signal + 20


def _number_of(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        pointed = text.replace(",", ".")
        hint = f"; write {pointed}, with a point" if _NUMBER.fullmatch(pointed) else ""
        raise BadTruth(f"{value_shown(text)} is no number{hint}")
    return _finite(float(text), value_shown(text))


def _finite(value: float, shown: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadTruth(f"{shown} is outside the range of numbers; a finite one is needed")
    return number
