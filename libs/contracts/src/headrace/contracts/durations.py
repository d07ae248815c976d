"""ISO 8601 durations as declarations write them: P90D, PT30S, P1DT12H."""

import re
from datetime import timedelta

from headrace.contracts.errors import ContractError

DURATION = r"^P(\d+[YMWD])+(T(\d+(\.\d+)?[HMS])+)?$|^PT(\d+(\.\d+)?[HMS])+$"
"""The pattern that schemas give durations."""

LONGEST = timedelta(days=36_500)  # a century: longer ones lead past the end of the calendar
_FORM = "write PT30S, PT1H30M or P7D"
_ISO = re.compile(
    r"P(?:(?P<years>[0-9]{1,9})Y)?(?:(?P<months>[0-9]{1,9})M)?(?:(?P<weeks>[0-9]{1,9})W)?(?:(?P<days>[0-9]{1,9})D)?"
    r"(?P<clock>T(?:(?P<hours>[0-9]{1,9}(?:\.[0-9]{1,9})?)H)?(?:(?P<minutes>[0-9]{1,9}(?:\.[0-9]{1,9})?)M)?"
    r"(?:(?P<seconds>[0-9]{1,12}(?:\.[0-9]{1,9})?)S)?)?"
)
_UNITS = {"years": 365 * 86400.0, "months": 30 * 86400.0, "weeks": 7 * 86400.0, "days": 86400.0,
          "hours": 3600.0, "minutes": 60.0, "seconds": 1.0}  # fmt: skip
_PLAIN = re.compile(
    r"\s*(?P<number>[0-9]+)\s*(?P<unit>s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?|d|days?|w|weeks?)\s*",
    re.IGNORECASE,
)
_LETTERS = {"s": "PT{}S", "m": "PT{}M", "h": "PT{}H", "d": "P{}D", "w": "P{}W"}


def parse_duration(text: str) -> timedelta:
    """The length of an ISO 8601 duration; raises ContractError that shows the form.

    A year counts 365 days and a month 30, because a span without a start has no calendar.
    """
    if (problem := duration_problem(text)) is not None:
        raise ContractError(problem)
    return timedelta(seconds=_seconds(text))


def duration_problem(
    text: str, *, least: timedelta = timedelta(0), most: timedelta = LONGEST, zero: bool = True
) -> str | None:
    """Why a text is no duration that may be used here, with what would be; None where it is one."""
    seconds = _seconds(text)
    if seconds < 0:
        found = meant(text)
        return f"{text!r} is no ISO 8601 duration; {f'write {found}' if found else _FORM}"
    if seconds == 0 and not zero:
        return f"{text!r} is no time at all; a duration above 0 is needed"
    if seconds < least.total_seconds():
        return f"{text!r} is too short; at least {least.total_seconds():g} s are needed"
    if seconds > most.total_seconds():
        return f"{text!r} is too long; at most {most.days} days are allowed"
    return None


def _seconds(text: str) -> float:
    """The length in seconds; negative for what is no duration."""
    found = _ISO.fullmatch(text)
    parts = {name: each for name, each in found.groupdict().items() if each and name != "clock"} if found else {}
    if not parts or (found and found["clock"] == "T"):
        return -1
    return sum(float(each) * _UNITS[name] for name, each in parts.items())


def meant(text: str) -> str | None:
    """The duration that a text as people write it stands for, `30m` or `pt5s`; None where none is seen."""
    if _seconds(text.upper()) >= 0:
        return text.upper()
    plain = _PLAIN.fullmatch(text)
    return _LETTERS[plain["unit"][0].lower()].format(plain["number"]) if plain else None
