"""ISO 8601 durations as declarations write them: P90D, PT30S, P1DT12H."""

import re
from datetime import timedelta

from headrace.contracts.errors import ContractError

_DATE = {"Y": 365.0, "M": 30.0, "W": 7.0, "D": 1.0}  # calendar units as their usual number of days
_TIME = {"H": 3600.0, "M": 60.0, "S": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)([YMWDHS])")


def parse_duration(text: str) -> timedelta:
    """The length of an ISO 8601 duration; raises ContractError that shows the form.

    A year counts 365 days and a month 30, because a span without a start has no calendar.
    """
    date, mark, clock = text.removeprefix("P").partition("T")
    if not text.startswith("P") or not (date or clock) or (mark and not clock):
        raise ContractError(f"{text!r} is no ISO 8601 duration; write PT30S, PT1H30M or P7D")
    return timedelta(days=_sum(date, _DATE, text), seconds=_sum(clock, _TIME, text))


def _sum(text: str, units: dict[str, float], whole: str) -> float:
    parts = _PART.findall(text)
    if "".join(number + unit for number, unit in parts) != text or any(unit not in units for _, unit in parts):
        raise ContractError(f"{whole!r} is no ISO 8601 duration; write PT30S, PT1H30M or P7D")
    return sum(float(number) * units[unit] for number, unit in parts)
