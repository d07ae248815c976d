"""Forecasting: the numbers that follow in series, as far as a horizon, from what is known of their past."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np

from headrace.contracts import KnownColumn, Option, Options, Signature, Tensor
from headrace.contracts.errors import Place
from headrace.contracts.options import filled_options
from headrace.tasks.base import NO_OPTIONS, Outputs, Score, Target, Trivial, numbers
from headrace.tasks.errors import BadTruth
from headrace.tasks.labels import Label
from headrace.tasks.ops import Ops
from headrace.tasks.regression import PREDICTION, Regression, RegressionTarget

T = TypeVar("T")
NAME = "forecasting"
FORECAST = "forecast"  # the kind of score, and the runtime that makes the features
NAIVE, SCALE = "naive", "scale"
TIME, SERIES, STEP, HORIZON = "time", "series", "step", "horizon"
LONGEST = 10_000  # steps of a lag, a window, a season: 27 years of days
_ALIKE = (TIME, SERIES, STEP)
"""What two models must have been told alike, so that both can be asked the same."""
_STEP = r"P([1-9][0-9]{0,5}[YMWD]|T[1-9][0-9]{0,5}[HMS])"


@dataclass(frozen=True)
class ForecastTarget(RegressionTarget):
    """Any finite number, of rows that follow each other in time."""

    task: ClassVar[str] = NAME
    told: Options = field(default_factory=dict)

    @property
    def options(self) -> Options:
        """What it was told; after training with the step of the rows."""
        return self.told

    @property
    def width(self) -> int:
        """The estimator's own number, and what the history says: see `answer`."""
        return 3

    def outputs(self) -> list[Tensor]:
        """The forecast; the naive one; and what errors are divided by where they are scaled."""
        return [Tensor(name=name, datatype="FP64", shape=[-1]) for name in (PREDICTION, NAIVE, SCALE)]

    def answer(self, raw: T, ops: Ops[T]) -> dict[str, T]:
        """Of the estimator's number, the newest known value of the season, and that forecast's mean absolute error."""
        return {name: ops.double(ops.column(raw, at)) for at, name in enumerate((PREDICTION, NAIVE, SCALE))}

    def score(self, outputs: Outputs) -> Score | None:
        """The forecast, with the scale of its series; a row of history has none."""
        if PREDICTION not in outputs:
            return None
        scale = numbers(outputs[SCALE]) if SCALE in outputs else None
        return Score(FORECAST, numbers(outputs[PREDICTION]), scale=scale)

    def aligned(self, other: Target, score: np.ndarray) -> np.ndarray:
        """The other model must count the same series in the same steps, as far at least."""
        super().aligned(other, score)
        for name in _ALIKE:
            if other.options.get(name) != self.told.get(name):
                raise BadTruth(f"its {name} is {other.options.get(name)!r}, not {self.told.get(name)!r}")
        if other.options.get(HORIZON, 0) < self.told.get(HORIZON, 0):
            raise BadTruth(f"its horizon is {other.options.get(HORIZON)} steps, not {self.told.get(HORIZON)}")
        return score

    def trivial(self, known: np.ndarray, rows: int, last: float | None) -> list[Trivial]:
        """The mean; the naive forecast comes with the answers."""
        mean = known.mean()
        return [Trivial(np.full(rows, mean), f"the mean, {mean:.4g}")]

    def trivial_beside(self, outputs: Outputs) -> list[Trivial]:
        """The newest known value of each series, a season ago where there are seasons."""
        if NAIVE not in outputs:
            return []
        season = self.told.get("season", 1)
        words = "the last known value of the series" if season == 1 else f"the last known value {season} steps apart"
        return [Trivial(numbers(outputs[NAIVE]), words)]


def _steps(name: str, about: str, **more: Any) -> Option:
    return Option(name=name, about=about, rule={"type": "integer", "min": 1, "max": LONGEST}, **more)


class Forecasting(Regression):
    """The numbers that follow."""

    name = NAME
    about = "the numbers that follow in one or more series"
    scores = frozenset({FORECAST})
    usual = ("mae", "rmse", "mase", "smape")
    decisive = ("r2", 0.99)
    pipeline_tag = "time-series-forecasting"
    guessed = False
    framed_by = FORECAST
    options = (
        Option(
            name=TIME, about="the column that orders the rows of a series", rule={"type": "string"},
            required=True, names="time", example="day",
        ),
        _steps(HORIZON, "how many steps ahead are answered", required=True, example=14),
        Option(
            name=SERIES, about="the columns that tell series apart; unset: all rows are one series",
            rule={"type": "string"}, many=(1, 5), names="column", example=["store"],
        ),
        Option(
            name=STEP,
            about="how far rows are apart: an ISO 8601 duration of one unit (PT15M, P1D, P1W, P1M); unset: as most",
            rule={"type": "string"}, example="P1D",
        ),
        _steps(
            "lags", "the known values that are features, counted back from the last one, which is 1",
            many=(1, 200), default=[1, 2, 3, 4, 5, 6, 7], example=[1, 7, 28],
        ),
        _steps(
            "rolling", "the windows of last known values whose figures are features; an empty list for none",
            many=(0, 20), default=[7], example=[7, 28],
        ),
        Option(
            name="functions", about="the figures of each window",
            rule={"one_of": ["mean", "min", "max", "std"]}, many=(1, 4), default=["mean", "std"],
            example=["mean", "min", "max"],
        ),
        Option(
            name="calendar", about="what of the calendar is a feature, in UTC; an empty list for nothing",
            rule={"one_of": ["minute", "hour", "weekday", "day", "yearday", "month", "quarter"]}, many=(0, 7),
            default=["hour", "weekday", "day", "month"], example=["weekday", "month"],
        ),
        _steps(
            "season", "the steps of a season: the value a season before is a feature then, and what MASE compares with",
            default=1, example=7,
        ),
        Option(
            name="lacking",
            about="what is done with a request whose history lacks a value that a feature needs: it is refused, or the "
            "value counts as missing",
            rule={"one_of": ["refuse", "missing"]}, default="refuse", example="missing",
        ),
    )  # fmt: skip

    @property
    def learned_as(self) -> str:
        """A number of one row, once its features are made."""
        return Regression.name

    def takes(self, column: KnownColumn) -> bool:
        """Only where it is asked for."""
        return False

    def doubt(self, column: KnownColumn) -> str | None:
        """It was asked for."""
        return None

    def option_problems(self, options: Options) -> Iterator[tuple[Place | str, str]]:
        """A step of no length, a word twice, and columns of two roles."""
        step = options.get(STEP)
        if step is not None and re.fullmatch(_STEP, step) is None:
            yield STEP, f"{step!r} is no step; write a duration of one unit, such as PT15M, P1D, P1W or P1M"
        for name in (SERIES, "lags", "rolling", "functions", "calendar"):
            if len(set(options.get(name, ()))) < len(options.get(name, ())):
                yield name, f"each one once is needed, not {options[name]}"
        if options[TIME] in options.get(SERIES, ()):
            yield SERIES, f"{options[TIME]!r} is the time; a series has many of them"

    def positive_problem(self, positive: Label, column: KnownColumn | None) -> str | None:
        """There are no labels."""
        return "is for binary; a forecast has no labels"

    def learn(
        self, values: np.ndarray, name: str, positive: Label | None, options: Options = NO_OPTIONS
    ) -> ForecastTarget:
        """Finite numbers."""
        super().learn(values, name, positive)
        return self.bare(options)

    def of(self, signature: Signature) -> ForecastTarget:
        """By what the signature tells."""
        return self.bare(signature.task_options or NO_OPTIONS)

    def bare(self, options: Options = NO_OPTIONS) -> ForecastTarget:
        """By what it is told."""
        return ForecastTarget(told=filled_options(options, self))
