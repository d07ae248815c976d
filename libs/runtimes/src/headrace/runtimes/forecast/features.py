"""What a forecast is made of: lags, windows and the calendar, from rows of history and rows that are asked for.

Pure, and the only place where such a feature is made: the trainer asks it for the rows that an estimator learns, the
runtime for the rows of a request. The strategy is the direct one: one estimator, which is told how many steps ahead a
row lies. Lags and windows end with the last known row of the series (its origin), so that nothing later can be in them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headrace.runtimes.forecast.grid import Step

Columns = Mapping[str, np.ndarray]

PREDICTION, NAIVE, SCALE = "prediction", "naive", "scale"
"""The outputs: the forecast, the newest value of its own season (the seasonal naive forecast), and what an error is
divided by in MASE: the mean absolute error of that naive forecast in the history (Hyndman and Koehler 2006)."""
STEP, SEASON = "step_ahead", "season_lag"
_HOUR, _DAY = 3_600_000_000, 86_400_000_000
_THURSDAY = 3  # 1970-01-01, where Monday is 0
_AT_A_TIME = 50_000  # origins: 50,000 windows of 28 values are 11 MB


class BadSeries(ValueError):
    """Rows that are no series: two of one step; the message names the first, and its series."""


def _calendar(unit: str, per: str, first: int) -> Callable[[np.ndarray], np.ndarray]:
    """The number of a unit within a longer one, as of a day in its month."""

    def number(micros: np.ndarray) -> np.ndarray:
        times = micros.astype("M8[us]")
        return np.asarray((times.astype(f"M8[{unit}]") - times.astype(f"M8[{per}]")).astype(np.int64) + first)

    return number


MADE: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "minute": lambda micros: micros // 60_000_000 % 60,
    "hour": lambda micros: micros // _HOUR % 24,
    "weekday": lambda micros: (micros // _DAY + _THURSDAY) % 7,
    "day": _calendar("D", "M", 1),
    "yearday": _calendar("D", "Y", 1),
    "month": _calendar("M", "Y", 1),
    "quarter": lambda micros: (_calendar("M", "Y", 1)(micros) - 1) // 3 + 1,
}
"""Features of the calendar, of the time that is asked about, in UTC; Monday is 0."""


def _mean(values: np.ndarray, there: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.asarray(np.where(there, values, 0).sum(axis=1) / count)


def _std(values: np.ndarray, there: np.ndarray, count: np.ndarray) -> np.ndarray:
    apart = np.where(there, values - _mean(values, there, count)[:, None], 0)
    return np.asarray(np.sqrt((apart**2).sum(axis=1) / np.where(count > 1, count - 1, np.nan)))


WINDOWED: Mapping[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": _mean,
    "min": lambda values, there, count: np.where(there, values, np.inf).min(axis=1) + 0 * count,
    "max": lambda values, there, count: np.where(there, values, -np.inf).max(axis=1) + 0 * count,
    "std": _std,
}
"""Figures of the values of a window that are there; the standard deviation is a sample's, so one value has none."""


@dataclass(frozen=True)
class Plan:
    """What is made of which columns; all numbers count steps."""

    time: str
    target: str
    series: Sequence[str]
    horizon: int
    step: str
    lags: Sequence[int]
    rolling: Sequence[int]
    functions: Sequence[str]
    calendar: Sequence[str]
    season: int = 1

    @property
    def names(self) -> list[str]:
        """The features that are made, in the order of `made`."""
        windows = [f"rolling_{name}_{size}" for size in self.rolling for name in self.functions]
        seasonal = [SEASON] if self.season > 1 else []
        return [STEP, *(f"lag_{lag}" for lag in self.lags), *windows, *seasonal, *self.calendar]

    @property
    def needed(self) -> list[int]:
        """The values of history that features are made of: how many steps each lies before the last known one."""
        season = range(self.season) if self.season > 1 else ()
        return sorted({0, *(lag - 1 for lag in self.lags), *range(max(self.rolling, default=0)), *season})

    def index(self, micros: np.ndarray) -> np.ndarray:
        """The number of the step that each time lies in."""
        return Step.of(self.step).index(micros)


class History:
    """Known values by series and step; what is not there is NaN."""

    def __init__(self, codes: np.ndarray, index: np.ndarray, values: np.ndarray) -> None:
        """`codes` is the number of each row's series from 0 on; of rows of one step the first one counts."""
        self._low, high = (int(index.min()), int(index.max())) if len(index) else (0, -1)
        self._span = high - self._low + 1
        places = codes.astype(np.int64) * self._span + (index - self._low)
        self._keys, first = np.unique(places, return_index=True)
        self._values = values[first]
        self.first = first
        """The rows that count, by series and step."""

    def at(self, codes: np.ndarray, index: np.ndarray) -> np.ndarray:
        """The values at some steps of some series."""
        if not len(self._keys):
            return np.full(np.shape(index), np.nan)
        inside = (index >= self._low) & (index < self._low + self._span)
        wanted = np.where(inside, codes.astype(np.int64) * self._span + (index - self._low), -1)
        place = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return np.asarray(np.where(self._keys[place] == wanted, self._values[place], np.nan))


def ends(codes: np.ndarray, index: np.ndarray, series: int) -> tuple[np.ndarray, np.ndarray]:
    """The last known step of each of so many series, and whether it has one."""
    found = np.full(series, np.iinfo(np.int64).min)
    np.maximum.at(found, codes, index)
    return found, found > np.iinfo(np.int64).min


def made(plan: Plan, history: History, codes: np.ndarray, origins: np.ndarray, micros: np.ndarray) -> Columns:
    """The features of rows, by name: of the series with a code, known up to a step, asked about a time."""
    index = plan.index(micros)
    pairs, place = np.unique(np.stack([codes, origins]), axis=1, return_inverse=True)
    parts = [
        _past(plan, history, pairs[0, at : at + _AT_A_TIME], pairs[1, at : at + _AT_A_TIME])
        for at in range(0, max(1, pairs.shape[1]), _AT_A_TIME)
    ]
    past = {name: np.concatenate([part[name] for part in parts])[place.ravel()] for name in parts[0]}
    found = {STEP: (index - origins).astype(np.float64), **past}
    if plan.season > 1:
        found[SEASON] = seasonal(plan, history, codes, origins, index)
    return {**found, **{name: MADE[name](micros).astype(np.float64) for name in plan.calendar}}


def _past(plan: Plan, history: History, codes: np.ndarray, origins: np.ndarray) -> Columns:
    """What is known at an origin, whichever row is asked about."""
    found = {f"lag_{lag}": history.at(codes, origins - (lag - 1)) for lag in plan.lags}
    for size in plan.rolling:
        values = history.at(codes[:, None], origins[:, None] - np.arange(size))
        there = np.isfinite(values)
        count = there.sum(axis=1).astype(np.float64)
        count[count == 0] = np.nan
        found |= {f"rolling_{name}_{size}": WINDOWED[name](values, there, count) for name in plan.functions}
    return found


def seasonal(plan: Plan, history: History, codes: np.ndarray, origins: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The known value that lies the fewest whole seasons before a step; without a season the last known one."""
    seasons = np.maximum(1, -(-(index - origins) // plan.season))
    return history.at(codes, index - seasons * plan.season if plan.season > 1 else origins)


def scales(plan: Plan, history: History, codes: np.ndarray, index: np.ndarray, series: int) -> np.ndarray:
    """For each series the mean absolute difference of known values that lie a season apart; NaN where none do."""
    apart = np.abs(history.at(codes, index) - history.at(codes, index - plan.season))
    known = np.isfinite(apart)
    count = np.bincount(codes[known], minlength=series).astype(np.float64)
    count[count == 0] = np.nan
    return np.asarray(np.bincount(codes[known], apart[known], minlength=series) / count)


def series_codes(columns: Sequence[np.ndarray], rows: int) -> tuple[np.ndarray, list[tuple[Any, ...]]]:
    """The number of each row's series, in the order of their first rows, and the values that name each."""
    if not columns:
        return np.zeros(rows, dtype=np.int64), [()]
    codes: dict[tuple[Any, ...], int] = {}
    lists = [each.tolist() if isinstance(each, np.ndarray) else list(each) for each in columns]
    found = [codes.setdefault(row, len(codes)) for row in zip(*lists, strict=True)]
    return np.array(found, dtype=np.int64), list(codes)


def twice(codes: np.ndarray, index: np.ndarray) -> int | None:
    """The first row whose step another row of its series has already; None where every row is alone in its step."""
    order = np.lexsort((np.arange(len(index)), index, codes))
    same = (np.diff(codes[order]) == 0) & (np.diff(index[order]) == 0)
    return int(order[1:][same].min()) if same.any() else None


@dataclass(frozen=True)
class Known:
    """The labelled rows of a dataset as series."""

    plan: Plan
    micros: np.ndarray
    codes: np.ndarray
    index: np.ndarray
    values: np.ndarray
    names: Sequence[tuple[Any, ...]]

    @classmethod
    def of(cls, plan: Plan, columns: Mapping[str, Any], micros: np.ndarray) -> "Known":
        """From the columns of rows that all have a target; raises BadSeries where two of a series share a step."""
        codes, names = series_codes([columns[name] for name in plan.series], len(micros))
        index = plan.index(micros)
        if (at := twice(codes, index)) is not None:
            when = np.datetime_as_string(micros[at : at + 1].astype("M8[us]"), unit="s")[0]
            raise BadSeries(
                f"two rows{named(plan.series, names[codes[at]])} lie in one step of {plan.step}, at {when}; one row a "
                "step is needed: add them up, name what tells them apart in `series`, or say another `step`"
            )
        return cls(plan, micros, codes, index, np.asarray(columns[plan.target], dtype=np.float64), names)

    @property
    def history(self) -> History:
        """All of it."""
        return History(self.codes, self.index, self.values)

    def examples(self, most: int) -> tuple[np.ndarray, Columns]:
        """The rows that an estimator learns, at most about so many: which row each is, and its made features.

        Every row is an example for each of the steps before it, as far as the horizon, at which a value is known. Where
        that is too much, some origins are left out, always the same ones.
        """
        share = most / max(1, len(self.index) * self.plan.horizon)
        origins = np.unique(self.index)  # left out by chance: every seventh one would be a Monday
        left = origins[np.random.default_rng(0).random(len(origins)) < share]
        chosen = np.flatnonzero(np.isin(self.index, left))
        rows = History(self.codes, self.index, np.arange(len(self.index), dtype=np.float64))
        steps = np.arange(1, self.plan.horizon + 1)
        found = rows.at(self.codes[chosen][:, None], self.index[chosen][:, None] + steps)
        origin, step = np.nonzero(np.isfinite(found))
        at = found[origin, step].astype(np.int64)
        return at, made(self.plan, self.history, self.codes[at], self.index[chosen][origin], self.micros[at])

    def questions(self, judged: np.ndarray, most: int) -> Iterator["Question"]:
        """Rolling origin: each question knows the rows up to an origin, and asks for judged rows behind it.

        `judged` is a mask of rows. The origins lie evenly between the step before the first judged row and the last
        one that has its whole horizon before it.
        """
        first, last = int(self.index[judged].min()) - 1, int(self.index[judged].max()) - self.plan.horizon
        for origin in np.unique(np.linspace(first, max(first, last), most).round().astype(np.int64)):
            past = self.index <= origin
            asked = judged & ~past & (self.index <= origin + self.plan.horizon)
            if past.any() and asked.any():
                yield Question(int(origin), np.flatnonzero(past), np.flatnonzero(asked))


@dataclass(frozen=True)
class Question:
    """Rows that are known, and rows that are asked for, by their place in the dataset."""

    origin: int
    past: np.ndarray
    asked: np.ndarray


def named(series: Sequence[str], values: Sequence[Any]) -> str:
    """A series in a message, with a space before it."""
    told = ", ".join(f"{name} {value!r}" for name, value in zip(series, values, strict=True))
    return f" of {told}" if told else ""
