"""A model of another runtime, asked about the future of series: the request carries what is known of their past."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from headrace.contracts import Column, Options, Signature
from headrace.runtimes.base import BadValue, Columns, Model, OutOfProcess
from headrace.runtimes.directory import Description, read_description, write_directory
from headrace.runtimes.errors import BadModel
from headrace.runtimes.forecast.features import (
    NAIVE,
    PREDICTION,
    SCALE,
    History,
    Plan,
    ends,
    made,
    named,
    scales,
    seasonal,
    series_codes,
    twice,
)
from headrace.runtimes.forecast.framing import Framing
from headrace.runtimes.forecast.grid import Step
from headrace.runtimes.values import MISSING_TIME, micros

INNER = "inner"
"""The folder of the model that answers for one row with its features; a model directory of its own."""
REFUSE, MISSING = "refuse", "missing"
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class _Request:
    """The rows of a request as series."""

    plan: Plan
    micros: np.ndarray
    values: np.ndarray
    """The target: known, or NaN where a row is asked for."""
    codes: np.ndarray
    names: Sequence[tuple[Any, ...]]
    index: np.ndarray

    @classmethod
    def of(cls, plan: Plan, columns: Columns) -> "_Request":
        values = _floats(columns[plan.target])
        codes, names = series_codes([columns[name] for name in plan.series], len(values))
        times = micros(columns[plan.time])
        return cls(plan, times, values, codes, names, plan.index(times))

    @property
    def known(self) -> np.ndarray:
        """The rows of history; the others are asked for."""
        return np.asarray(np.isfinite(self.values) & (self.micros != MISSING_TIME))

    def refuse(self, row: int, why: str, name: str | None = None) -> NoReturn:
        """Raise BadValue about the time of a row, or about another column of it."""
        when = np.datetime_as_string(self.micros[row : row + 1].astype("M8[us]"), unit="s")[0]
        raise BadValue(name or self.plan.time, row, when if name is None else self.values[row], why)

    def series_of(self, row: int) -> str:
        """The series of a row in a message, with a space before it."""
        return named(self.plan.series, self.names[self.codes[row]])

    def check(self, lacking: str) -> None:
        """Raise BadValue for what cannot be answered, in the order in which somebody would mend it."""
        self._check_values()
        if (at := twice(self.codes, self.index)) is not None:
            self.refuse(at, f"lies in the same step of {self.plan.step} as an earlier row{self.series_of(at)}")
        known, asked = self.known, np.flatnonzero(~self.known)
        end, there = ends(self.codes[known], self.index[known], len(self.names))
        last = np.where(there, end, 0)[self.codes]
        ahead = np.where(there[self.codes], self.index - last, 0)
        wrong = ~known & ((ahead < 1) | (ahead > self.plan.horizon))
        if wrong.any():
            row = int(wrong.argmax())
            self._refuse_place(row, int(ahead[row]), bool(there[self.codes[row]]))
        if lacking == REFUSE and len(asked):
            self._check_history(asked, end)

    def _check_values(self) -> None:
        wrong = np.flatnonzero(np.abs(self.values) > _LARGEST)
        if len(wrong):
            raise BadValue(self.plan.target, int(wrong[0]), self.values[wrong[0]])
        lost = np.flatnonzero(self.micros == MISSING_TIME)
        if len(lost):
            raise BadValue(self.plan.time, int(lost[0]), None, "is missing; every row needs its time")

    def _refuse_place(self, row: int, ahead: int, there: bool) -> NoReturn:
        """A row that is asked for must lie 1 to `horizon` steps behind the history of its series."""
        if not there:
            self.refuse(row, f"is asked for, but no row{self.series_of(row)} has a value of {self.plan.target!r}")
        if ahead < 1:
            why = f"has no value of {self.plan.target!r}, so it is asked for, but it does not lie after the last known"
            self.refuse(row, f"{why} row{self.series_of(row)}; leave out the rows of a gap")
        why = f"lies {ahead} steps of {self.plan.step} after the last known row{self.series_of(row)}"
        self.refuse(row, f"{why}; the model answers 1 to {self.plan.horizon}")

    def _check_history(self, asked: np.ndarray, end: np.ndarray) -> None:
        codes, first = np.unique(self.codes[asked], return_index=True)
        needed = np.array(self.plan.needed)
        there = np.isfinite(self.history.at(codes[:, None], end[codes][:, None] - needed))
        for place in np.flatnonzero(~there.all(axis=1)):
            before = int(needed[~there[place]][0])
            row = int(asked[first[place]])
            self.refuse(
                row,
                f"is asked for, but the history{self.series_of(row)} has no value {before} steps of {self.plan.step} "
                f"before its end; the model needs the last {int(needed[-1]) + 1}, or `lacking: {MISSING}` in the "
                "options of its task",
            )

    @property
    def history(self) -> History:
        """What is known."""
        return History(self.codes[self.known], self.index[self.known], self.values[self.known])


class ForecastModel:
    """A model with the past of series before it. A row with a value is history, and is answered with NaN."""

    platform = "forecast"
    matrix = None

    def __init__(self, framing: Framing, lacking: str, signature: Signature, inner: Model) -> None:
        self.framing, self._plan, self._lacking, self._inner = framing, framing.plan, lacking, inner
        self.signature = signature

    @property
    def memory_bytes(self) -> int:
        """That of the model inside."""
        return self._inner.memory_bytes

    def answer(self, columns: Columns, *, strict: bool = False) -> Mapping[str, np.ndarray]:
        """The forecasts of the rows without a value, NaN for the others.

        With `strict`, rows that cannot be forecast raise BadValue; else they are answered with NaN, and what their
        history lacks counts as missing.
        """
        asked = _Request.of(self._plan, columns)
        if strict:
            asked.check(self._lacking)
        rows, end = self._answerable(asked)
        if strict:
            self._check_given(columns, rows)
        found = {name: np.full(len(asked.values), np.nan) for name in (PREDICTION, NAIVE, SCALE)}
        if not len(rows):
            return found
        codes, origins, history = asked.codes[rows], end[asked.codes[rows]], asked.history
        shown = made(self._plan, history, codes, origins, asked.micros[rows])
        given = {each.name: _rows(columns[each.name], rows) for each in self.framing.features}
        inner = self._inner.answer({**given, **shown})
        found[PREDICTION][rows] = inner[PREDICTION]
        found[NAIVE][rows] = self._naive(history, codes, origins, asked.index[rows])
        known = asked.known
        by_series = scales(self._plan, history, asked.codes[known], asked.index[known], len(asked.names))
        found[SCALE][rows] = by_series[codes]
        return found

    def answer_matrix(self, matrix: np.ndarray) -> Mapping[str, np.ndarray]:
        """The same for rows that lie in one matrix, its columns in the order of the signature."""
        return self.answer({tensor.name: matrix[:, at] for at, tensor in enumerate(self.signature.inputs)})

    def close(self) -> None:
        """Give back the model inside."""
        self._inner.close()

    def _check_given(self, columns: Columns, rows: np.ndarray) -> None:
        """Columns that are known in advance must be there for a row that is asked for, and within float32."""
        for column in self.framing.features:
            values = columns[column.name]
            missing = [row for row in rows.tolist() if values[row] is None or values[row] != values[row]]
            if missing and not column.nullable:
                raise BadValue(column.name, missing[0], None, "is missing in a row that is asked for")
            if column.type in ("number", "integer"):
                for row in np.flatnonzero(np.abs(_floats(values)) > _LARGEST)[:1].tolist():
                    raise BadValue(column.name, row, values[row])

    def _answerable(self, asked: _Request) -> tuple[np.ndarray, np.ndarray]:
        """The rows that can be forecast, and the last known step of each series."""
        known = asked.known
        end, there = ends(asked.codes[known], asked.index[known], len(asked.names))
        ahead = np.where(there[asked.codes], asked.index - np.where(there, end, 0)[asked.codes], 0)
        timed = asked.micros != MISSING_TIME
        return np.flatnonzero(~known & timed & (ahead >= 1) & (ahead <= self._plan.horizon)), end

    def _naive(self, history: History, codes: np.ndarray, origins: np.ndarray, index: np.ndarray) -> np.ndarray:
        """The newest value of its own season; where that is not known, the last value."""
        found = seasonal(self._plan, history, codes, origins, index)
        return np.where(np.isfinite(found), found, history.at(codes, origins))


class _Apart(ForecastModel):
    """One whose model inside answers in processes of its own."""

    def __init__(self, framing: Framing, lacking: str, signature: Signature, inner: Model) -> None:
        super().__init__(framing, lacking, signature, inner)
        assert isinstance(inner, OutOfProcess)
        self._processes: OutOfProcess = inner

    @property
    def slots(self) -> int:
        """As of the model inside."""
        return self._processes.slots

    @property
    def problem(self) -> str | None:
        """As of the model inside."""
        return self._processes.problem


class Forecast:
    """Loads a directory with another model directory in `inner`; `inside` loads that."""

    name = "forecast"
    inner = INNER
    """The folder of the model inside, which decides how long loading takes."""

    def __init__(self, inside: Callable[[Path], Model]) -> None:
        self._inside = inside

    def framing(self, options: Options, features: Sequence[Column], target: str) -> Framing:
        """How the rows of a dataset become what an estimator learns."""
        return Framing(options, features, target)

    def write(
        self,
        framing: Framing,
        folder: Path,
        signature: Signature,
        about: Mapping[str, str],
        example: Mapping[str, Sequence[Any]],
    ) -> None:
        """Describe a directory whose model inside is written already."""
        inner = read_description(folder / INNER)
        options = {
            "target": framing.target,
            "features": [column.model_dump(mode="json", exclude_none=True) for column in framing.features],
        }
        described = Description(self.name, signature, inner.framework, options)
        write_directory(folder, described, about=about, flavors={}, packages=["numpy"], example=example)

    def load(self, folder: Path, signature: Signature) -> ForecastModel:
        """Load the model inside; raises BadModel where it takes or answers something else."""
        framing, lacking = _described(folder, signature)
        inner = self._inside(folder / INNER)
        takes = {tensor.name for tensor in inner.signature.inputs}
        gives = {tensor.name for tensor in inner.signature.outputs}
        wanted = {column.name for column in framing.learned}
        if not takes <= wanted or PREDICTION not in gives:
            inner.close()
            raise BadModel(
                f"{folder.name}/{INNER} takes {', '.join(sorted(takes - wanted)) or 'what is made'} and gives "
                f"{', '.join(sorted(gives))}; a forecast needs {PREDICTION} of {', '.join(sorted(wanted))}"
            )
        kind = _Apart if isinstance(inner, OutOfProcess) else ForecastModel
        return kind(framing, lacking, signature, inner)


def _described(folder: Path, signature: Signature) -> tuple[Framing, str]:
    """The framing that a directory's description tells; raises BadModel where it is none."""
    told = read_description(folder).options
    try:
        options = signature.task_options or {}
        features = [Column.model_validate(each) for each in told["features"]]
        framing = Framing(options, features, str(told["target"]))
        Step.of(framing.plan.step)
        lacking = str(options.get("lacking", REFUSE))
        needed = {*framing.carried, framing.target}
    except (KeyError, TypeError, ValueError) as error:
        raise BadModel(f"{folder.name} does not describe a forecast: {error}") from error
    if {tensor.name for tensor in signature.inputs} != needed:
        raise BadModel(f"{folder.name} describes a forecast of {', '.join(sorted(needed))}; its signature differs")
    return framing, lacking


def _floats(values: Any) -> np.ndarray:
    """Numbers as float64; NaN for what is missing."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiu":
        return values.astype(np.float64)
    return np.array([np.nan if each is None else each for each in values], dtype=np.float64)


def _rows(values: Any, rows: np.ndarray) -> Any:
    if isinstance(values, np.ndarray):
        return values[rows]
    return [values[row] for row in rows.tolist()]
