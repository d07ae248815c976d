"""Times as numbers: parts of the date and of the day in UTC, each as it is or as a point on a circle.

A graph is given whole microseconds and finds the parts by whole division, so that no time zone, calendar or library of
the machine that serves has a say. Days become dates as in http://howardhinnant.github.io/date_algorithms.html: years
begin in March, so that the day that some years have more is their last one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from headrace.contracts.preparation import NUMERIC, TIMESTAMP, StepInfo, StepParam
from headrace.frameworks.preparation.nodes import DOUBLE, FLOAT, WHOLE, Nodes, Value
from headrace.frameworks.preparation.steps.base import About, Learned, Step
from headrace.runtimes.values import MISSING_TIME

_DAY = 86_400_000_000  # microseconds
_SHIFT = 719_468  # days from 1 March of the year 0 to 1970: whole division then never meets a negative number
_ERA = 146_097  # days of 400 years


class _Moment:
    """A matrix of times inside a graph, and whole numbers made of it."""

    def __init__(self, nodes: Nodes, micros: Value) -> None:
        self._nodes = nodes
        since = self._op("Add", self._known(nodes, micros), _SHIFT * _DAY)
        self._days = self._op("Div", since, _DAY)
        self._rest = self._op("Mod", since, _DAY)

    @staticmethod
    def _known(nodes: Nodes, micros: Value) -> Value:
        """The first second of 1970 where a time is missing: what is made of it is taken away again."""
        there = nodes.add("Greater", [micros.name, nodes.constant(np.int64(MISSING_TIME))], 0)
        return nodes.where(there, micros.name, nodes.constant(np.int64(0)), WHOLE)

    def _op(self, operator: str, one: Value, other: Value | int) -> Value:
        second = other.name if isinstance(other, Value) else self._nodes.constant(np.int64(other))
        return self._nodes.add(operator, [one.name, second], WHOLE)

    def _chain(self, value: Value, *steps: tuple[str, Value | int]) -> Value:
        for operator, other in steps:
            value = self._op(operator, value, other)
        return value

    def of_day(self, unit: int, many: int) -> Value:
        """Hours, minutes or seconds: units of so many microseconds, of which so many make the next greater one."""
        return self._chain(self._rest, ("Div", unit), ("Mod", many))

    def weekday(self) -> Value:
        """0 for Monday."""
        return self._chain(self._days, ("Add", 2), ("Mod", 7))

    def weekend(self) -> Value:
        """1 on Saturdays and Sundays."""
        return self._chain(self.weekday(), ("Div", 5))

    def year(self) -> Value:
        """The year."""
        return self._date(self._days)[0]

    def month(self) -> Value:
        """1 for January."""
        return self._date(self._days)[1]

    def day(self) -> Value:
        """The day of the month, from 1."""
        return self._date(self._days)[2]

    def quarter(self) -> Value:
        """1 to 4."""
        return self._chain(self.month(), ("Add", 2), ("Div", 3))

    def day_of_year(self) -> Value:
        """From 1."""
        return self._of_year(self._days)

    def week(self) -> Value:
        """The week by ISO 8601, 1 to 53: that of its Thursday."""
        thursday = self._op("Sub", self._op("Add", self._days, 3), self.weekday())
        return self._chain(self._of_year(thursday), ("Add", 6), ("Div", 7))

    def elapsed(self) -> Value:
        """Days since 1970, with their fraction."""
        nodes = self._nodes
        days = nodes.double(self._op("Sub", self._days, _SHIFT))
        part = nodes.add("Div", [nodes.double(self._rest).name, nodes.constant(np.float64(_DAY))], DOUBLE)
        return nodes.add("Add", [days.name, part.name], DOUBLE)

    def _date(self, days: Value) -> tuple[Value, Value, Value]:
        """Year, month and day of a number of days since 1 March of the year 0."""
        era, of_era = self._op("Div", days, _ERA), self._op("Mod", days, _ERA)
        leap = self._op("Sub", self._op("Div", of_era, 36_524), self._op("Div", of_era, 1460))
        years = self._op("Div", self._op("Sub", self._op("Add", of_era, leap), self._op("Div", of_era, 146_096)), 365)
        before = self._op("Add", self._op("Mul", years, 365), self._op("Div", years, 4))
        of_year = self._op("Sub", of_era, self._op("Sub", before, self._op("Div", years, 100)))
        march = self._chain(of_year, ("Mul", 5), ("Add", 2), ("Div", 153))
        day = self._op("Sub", of_year, self._chain(march, ("Mul", 153), ("Add", 2), ("Div", 5)))
        month = self._chain(march, ("Add", 2), ("Mod", 12), ("Add", 1))
        late = self._chain(march, ("Div", 10))  # January and February belong to the year after
        year = self._op("Add", self._op("Add", self._op("Mul", era, 400), years), late)
        return year, month, self._op("Add", day, 1)

    def _of_year(self, days: Value) -> Value:
        """The day of its year, from 1: from its 1 January on, which is the 307th day of the year from March before."""
        year = self._chain(self._date(days)[0], ("Sub", 1))
        begun = self._op("Add", self._op("Mul", year, 365), self._op("Div", year, 4))
        begun = self._op("Add", self._op("Sub", begun, self._op("Div", year, 100)), self._op("Div", year, 400))
        return self._chain(days, ("Sub", begun), ("Sub", 305))


_HOUR, _MINUTE, _SECOND = 3_600_000_000, 60_000_000, 1_000_000
PARTS: Mapping[str, Callable[[_Moment], Value]] = {
    "year": _Moment.year,
    "quarter": _Moment.quarter,
    "month": _Moment.month,
    "week": _Moment.week,
    "day": _Moment.day,
    "day-of-year": _Moment.day_of_year,
    "weekday": _Moment.weekday,
    "weekend": _Moment.weekend,
    "hour": lambda moment: moment.of_day(_HOUR, 24),
    "minute": lambda moment: moment.of_day(_MINUTE, 60),
    "second": lambda moment: moment.of_day(_SECOND, 60),
    "elapsed": _Moment.elapsed,
}
"""What can be told of a time."""
CIRCLES: Mapping[str, tuple[int, int]] = {
    "quarter": (1, 4),
    "month": (1, 12),
    "week": (1, 53),
    "day": (1, 31),
    "day-of-year": (1, 366),
    "weekday": (0, 7),
    "hour": (0, 24),
    "minute": (0, 60),
    "second": (0, 60),
}
"""Parts that begin again: the first one, and how many there are."""


def _date_parts(values: np.ndarray, params: Mapping[str, Any], about: About) -> Learned:
    """Each part as a number, float32; that of a missing time is missing."""

    def write(nodes: Nodes, value: Value) -> Value:
        moment, there = _Moment(nodes, value), _there(nodes, value)
        made = [nodes.cast(PARTS[part](moment), FLOAT) for part in params["parts"]]
        return nodes.beside([nodes.where(there, each.name, nodes.constant(np.float32(np.nan)), FLOAT) for each in made])

    return Learned(write, made=_names(values, params["parts"], ("",)))


def _cyclic(values: np.ndarray, params: Mapping[str, Any], about: About) -> Learned:
    """Each part as sine and cosine, looked up; a missing time is in the middle of the circle."""

    def write(nodes: Nodes, value: Value) -> Value:
        moment, there = _Moment(nodes, value), _there(nodes, value)
        made = []
        for part in params["parts"]:
            first, many = CIRCLES[part]
            place = nodes.add("Sub", [PARTS[part](moment).name, nodes.constant(np.int64(first))], WHOLE)
            for wave in (np.sin, np.cos):
                table = nodes.constant(wave(2 * np.pi * np.arange(many) / many).astype(np.float32))
                found = nodes.add("Gather", [table, place.name], FLOAT)
                made.append(nodes.where(there, found.name, nodes.constant(np.float32(0)), FLOAT))
        return nodes.beside(made)

    return Learned(write, made=_names(values, params["parts"], (" sine", " cosine")))


def _there(nodes: Nodes, micros: Value) -> Value:
    return nodes.add("Greater", [micros.name, nodes.constant(np.int64(MISSING_TIME))], 0)


def _names(values: np.ndarray, parts: Sequence[str], waves: Sequence[str]) -> list[tuple[int, str]]:
    columns = range(values.shape[1])
    return [(at, f" {part}{wave}") for part in parts for wave in waves for at in columns]


def _parts(known: Sequence[str], default: Sequence[str]) -> Mapping[str, StepParam]:
    rules = [{"type": "list", "of": {"one_of": list(known)}}]
    return {"parts": StepParam("what is told of the time, in UTC", rules, default=list(default))}


DATE_PARTS = Step(
    StepInfo(
        "parts of the date and of the day as numbers",
        {TIMESTAMP: NUMERIC},
        _parts(list(PARTS), ["month", "day", "weekday", "hour"]),
    ),
    _date_parts,
    gaps="opens",
)
CYCLIC = Step(
    StepInfo(
        "parts that begin again as points on a circle, so that the last is beside the first",
        {TIMESTAMP: NUMERIC},
        _parts(list(CIRCLES), ["month", "weekday", "hour"]),
    ),
    _cyclic,
    gaps="closes",
)
