"""The way of a dataset's rows to an estimator and back: what it learns, what a request carries, how it is judged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from headrace.contracts import Column, Options, Signature, Tensor
from headrace.runtimes.forecast.features import (
    NAIVE,
    PREDICTION,
    SCALE,
    BadSeries,
    Columns,
    Known,
    Plan,
    Question,
    series_codes,
)
from headrace.runtimes.forecast.grid import usual_step
from headrace.runtimes.values import MISSING_TIME, TIME_FORMAT, micros

MOST_EXAMPLES = 2_000_000  # with 30 features 0.5 GB
ORIGINS = 10  # that judge a model
_PLANNED = {each.name for each in fields(Plan)}


@dataclass(frozen=True)
class Framing:
    """What a task was told, filled in, with the columns that are known of a row in advance, and the target."""

    options: Options
    features: Sequence[Column]
    target: str

    @property
    def plan(self) -> Plan:
        """What is made of which columns; the step must be known, as after `settled`."""
        told = {name: value for name, value in self.options.items() if name in _PLANNED}
        return Plan(**{"series": (), **told, "target": self.target})

    @property
    def learned(self) -> list[Column]:
        """The features of the estimator: those that are made, and the columns that are known in advance."""
        return [*(Column(name=name, type="number", nullable=True) for name in self.plan.names), *self.features]

    def settled(self, columns: Mapping[str, Any]) -> "Framing":
        """The same with the step that most rows are apart, where none is declared; raises BadSeries."""
        times = self._times(columns)
        found = self.options.get("step")
        try:
            codes, _ = series_codes([columns[name] for name in self.options.get("series", ())], len(times))
            settled = replace(self, options={**self.options, "step": found or usual_step(times, codes)})
        except ValueError as error:
            raise BadSeries(str(error)) from error
        if both := sorted(set(settled.plan.names) & {column.name for column in self.features}):
            raise BadSeries(f"the column {both[0]!r} has the name of a feature that is made; give it another one")
        return settled

    def examples(self, columns: Mapping[str, Any]) -> tuple[np.ndarray, Columns]:
        """Which row each example is, and its made features; raises BadSeries where rows are no series."""
        known = self._known(columns)
        at, made = known.examples(MOST_EXAMPLES)
        if not len(at):
            raise BadSeries(
                f"no row lies 1 to {self.plan.horizon} steps of {self.plan.step} behind another one of its series"
            )
        return at, made

    def questions(self, columns: Mapping[str, Any], judged: np.ndarray) -> Iterator[Question]:
        """The rolling origin: see `Known.questions`."""
        return self._known(columns).questions(judged, ORIGINS)

    def request(self, columns: Mapping[str, Any], question: Question) -> dict[str, np.ndarray]:
        """A question as a request carries it: first the rows that are known, then those that are asked for."""
        rows = np.concatenate([question.past, question.asked])
        found = {name: np.asarray(columns[name])[rows] for name in self.carried}
        target = np.array(columns[self.target], dtype=np.float64)[rows]
        target[len(question.past) :] = np.nan
        return {**found, self.target: target}

    @property
    def carried(self) -> list[str]:
        """The columns of a request beside the target."""
        series = self.options.get("series", ())
        return list(dict.fromkeys([self.options["time"], *series, *(column.name for column in self.features)]))

    def signature(self, task: str, context: Sequence[Column]) -> Signature:
        """What a request carries, and what is answered: every input may be missing but time and series."""
        kinds = {column.name: column for column in self.features}
        time = self.options["time"]
        inputs = [
            Tensor(name=time, datatype="BYTES", shape=[-1], nullable=False, format=TIME_FORMAT),
            *(_input(kinds[name], name in self.options.get("series", ())) for name in self.carried if name != time),
            Tensor(name=self.target, datatype="FP64", shape=[-1], nullable=True),
        ]
        outputs = [Tensor(name=name, datatype="FP64", shape=[-1]) for name in (PREDICTION, NAIVE, SCALE)]
        return Signature(
            task=task, inputs=inputs, outputs=outputs, context=list(context) or None, task_options=dict(self.options)
        )

    def _known(self, columns: Mapping[str, Any]) -> Known:
        return Known.of(self.plan, columns, self._times(columns))

    def _times(self, columns: Mapping[str, Any]) -> np.ndarray:
        times = micros(columns[self.options["time"]])
        if missing := int((times == MISSING_TIME).sum()):
            raise BadSeries(f"{missing} of {len(times)} rows have no {self.options['time']}; each needs its time")
        return times


_DATATYPES = {"boolean": "BOOL", "integer": "INT64", "number": "FP64", "string": "BYTES", "timestamp": "BYTES"}


def _input(column: Column, series: bool) -> Tensor:
    return Tensor(
        name=column.name,
        datatype=_DATATYPES[column.type],
        shape=[-1],
        nullable=not series,
        format=TIME_FORMAT if column.type == "timestamp" else None,
    )
