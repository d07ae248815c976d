"""The grid of a series: the length of its steps, and the number of the step that a time lies in.

Steps of a fixed length are counted from 1970 in UTC, those of months and years by the calendar: what matters is which
of them a time lies in, not where in it.
"""

import re
from dataclasses import dataclass

import numpy as np

_UNITS = {"W": 604_800, "D": 86_400, "H": 3_600, "M": 60, "S": 1}  # seconds
_CALENDAR = {"Y": 12, "M": 1}  # months
_FORM = re.compile(r"P(?:([1-9][0-9]{0,5})([YMWD])|T([1-9][0-9]{0,5})([HMS]))")
_MICROS = 1_000_000
_DAY = 86_400 * _MICROS
_ALIKE = ((27.5, 31.5, 1), (88.5, 92.5, 3), (364.5, 366.5, 12))
"""Distances in days that months, quarters and years have, and how many months that is."""


@dataclass(frozen=True)
class Step:
    """A step of so many months, or of so many microseconds."""

    months: int = 0
    micros: int = 0

    @classmethod
    def of(cls, text: str) -> "Step":
        """From an ISO 8601 duration of one unit, such as PT15M, P1D, P1W or P1M; raises ValueError with the form."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no step; write a duration of one unit, such as PT15M, P1D, P1W or P1M")
        count, unit = int(found[1] or found[3]), found[2] or found[4]
        if found[1] and unit in _CALENDAR:
            return cls(months=count * _CALENDAR[unit])
        return cls(micros=count * _UNITS[unit] * _MICROS)

    def index(self, micros: np.ndarray) -> np.ndarray:
        """The number of the step that each time lies in, int64; times are microseconds since 1970 in UTC."""
        if self.months:
            return np.asarray(micros.astype("M8[us]").astype("M8[M]").astype(np.int64) // self.months)
        return np.asarray(micros // self.micros)


def usual_step(micros: np.ndarray, codes: np.ndarray) -> str:
    """The step that most neighbours of a series are apart, by the code of each row's series.

    Raises ValueError where no two rows of a series are apart.
    """
    order = np.lexsort((micros, codes))
    apart = np.diff(micros[order])[np.diff(codes[order]) == 0]
    apart = apart[apart > 0]
    if not len(apart):
        raise ValueError("no series has two rows at different times; say `step`, such as P1D")
    for low, high, months in _ALIKE:
        if np.mean((apart > low * _DAY) & (apart < high * _DAY)) > 0.5:
            return f"P{months}M" if months < 12 else "P1Y"
    values, counts = np.unique(apart, return_counts=True)
    return _written(int(values[np.argmax(counts)]))


def _written(micros: int) -> str:
    seconds = max(1, round(micros / _MICROS))
    unit = next(name for name, size in _UNITS.items() if name != "W" and seconds % size == 0)
    text = f"{seconds // _UNITS[unit]}{unit}"
    return f"P{text}" if unit == "D" else f"PT{text}"
