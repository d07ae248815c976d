"""Quantiles: a number, with the interval in which it will lie."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

from headrace.contracts import KnownColumn, Option, Options, Signature, Tensor
from headrace.contracts.errors import Place
from headrace.contracts.options import filled_options
from headrace.tasks.base import NO_OPTIONS, Outputs, Score, Target, Trivial, Watched, matrix, numbers
from headrace.tasks.errors import BadTruth
from headrace.tasks.labels import Label
from headrace.tasks.metrics.base import nearest
from headrace.tasks.ops import Ops
from headrace.tasks.regression import PREDICTION, Regression, RegressionTarget

T = TypeVar("T")
NAME = "quantiles"
QUANTILES = "quantiles"  # an output, the kind of score, and the option
LOWER, UPPER = "lower", "upper"
USUAL = (0.1, 0.5, 0.9)
MOST = 20  # each one is a fit of its own


@dataclass(frozen=True)
class QuantilesTarget(RegressionTarget):
    """Any finite number; the levels are the quantiles that are answered, rising."""

    task: ClassVar[str] = NAME
    levels: tuple[float, ...] = USUAL

    @property
    def options(self) -> Options:
        """The levels."""
        return {QUANTILES: list(self.levels)}

    def outputs(self) -> list[Tensor]:
        """The middle quantile, all of them, and the ends of the interval."""
        return [
            Tensor(name=PREDICTION, datatype="FP64", shape=[-1]),
            Tensor(name=QUANTILES, datatype="FP64", shape=[-1, len(self.levels)], labels=list(self.levels)),
            Tensor(name=LOWER, datatype="FP64", shape=[-1]),
            Tensor(name=UPPER, datatype="FP64", shape=[-1]),
        ]

    def answer(self, raw: T, ops: Ops[T]) -> dict[str, T]:
        """What the estimators of the levels say, in rising order.

        Each learns its level alone, so that their answers may cross; sorted they are nowhere further from the true
        quantiles (Chernozhukov, Fernandez-Val and Galichon 2010).
        """
        found = ops.ascending(ops.double(raw), len(self.levels))
        ends = {LOWER: ops.column(found, 0), UPPER: ops.column(found, len(self.levels) - 1)}
        return {PREDICTION: ops.column(found, nearest(self.levels)), QUANTILES: found, **ends}

    def score(self, outputs: Outputs) -> Score | None:
        """All quantiles; without them nothing can be judged."""
        if QUANTILES not in outputs:
            return None
        return Score(QUANTILES, matrix(outputs[QUANTILES], len(self.levels)), levels=self.levels)

    def aligned(self, other: Target, score: np.ndarray) -> np.ndarray:
        """The other model must answer the same quantiles."""
        super().aligned(other, score)
        if other.levels != self.levels:
            raise BadTruth(f"it answers the quantiles {_listed(other.levels)}, not {_listed(self.levels)}")
        return score

    def trivial(self, known: np.ndarray, rows: int, last: float | None) -> list[Trivial]:
        """The quantiles of the rows that could be learned from."""
        found = np.quantile(known, self.levels)
        words = ", ".join(f"{each:.4g}" for each in found)
        return [Trivial(np.tile(found, (rows, 1)), f"the quantiles of the target, {words}")]

    def watched(self, outputs: Outputs) -> Watched | None:
        """The middle one."""
        return Watched("numeric", numbers(outputs[PREDICTION])) if PREDICTION in outputs else None


class Quantiles(Regression):
    """A number with an interval."""

    name = NAME
    about = "a number with the interval in which it will lie"
    scores = frozenset({QUANTILES})
    usual = ("pinball", "coverage", "coverage_error", "interval_width", "mae")
    decisive = ("r2", 0.99)
    guessed = False
    options = (
        Option(
            name=QUANTILES,
            about="the quantiles that are answered, rising; the interval lies between the first and the last",
            rule={"type": "number", "min": 0, "max": 1, "open": ["min", "max"]},
            many=(2, MOST),
            default=list(USUAL),
            example=[0.05, 0.5, 0.95],
        ),
    )

    def takes(self, column: KnownColumn) -> bool:
        """Only where it is asked for."""
        return False

    def option_problems(self, options: Options) -> Iterator[tuple[Place | str, str]]:
        """Levels that do not rise."""
        levels = options[QUANTILES]
        if levels != sorted(set(levels)):
            yield QUANTILES, f"rising numbers are needed, each one once, not {levels}"

    def positive_problem(self, positive: Label, column: KnownColumn | None) -> str | None:
        """There are no labels."""
        return "is for binary; quantiles are of numbers, which have no labels"

    def learn(
        self, values: np.ndarray, name: str, positive: Label | None, options: Options = NO_OPTIONS
    ) -> QuantilesTarget:
        """Finite numbers."""
        super().learn(values, name, positive)
        return self.bare(options)

    def of(self, signature: Signature) -> QuantilesTarget:
        """By the levels that the signature tells."""
        return self.bare(signature.task_options or NO_OPTIONS)

    def bare(self, options: Options = NO_OPTIONS) -> QuantilesTarget:
        """By the levels alone."""
        return QuantilesTarget(levels=_levels(filled_options(options, self)))


def _levels(options: Mapping[str, Any]) -> tuple[float, ...]:
    return tuple(float(level) for level in options[QUANTILES])


def _listed(levels: Sequence[float]) -> str:
    return ", ".join(f"{level:g}" for level in levels)
