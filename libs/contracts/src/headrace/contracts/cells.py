"""One cell of text to a typed value: the same rule for CSV files, rows to predict and truth.

`read_cell` reads what is declared; `narrowest` and `widened` guess, and never guess a type that would change a value:
`02134`, `+49170` and integers beyond 64 bits are text. `change_of` says what reading a cell as a declared type changes.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

BOOLEAN, INTEGER, NUMBER, STRING, TIMESTAMP = "boolean", "integer", "number", "string", "timestamp"

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")  # of all types but string: there only ""
TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
EXPECTED: Mapping[str, str] = {
    BOOLEAN: "not a boolean (true, false, 1 or 0)",
    INTEGER: "not an integer of 64 bits",
    NUMBER: "not a finite number that 64-bit floating point holds",
    STRING: "not text",
    TIMESTAMP: "not an ISO 8601 timestamp of the years 1 to 9999",
}
FORMATS: Mapping[str, str] = {
    "%d/%m/%Y": "31/12/2024",
    "%m/%d/%Y": "12/31/2024",
    "%d.%m.%Y": "31.12.2024",
    "%d-%m-%Y": "31-12-2024",
    "%Y/%m/%d": "2024/12/31",
    "%d/%m/%Y %H:%M": "31/12/2024 23:59",
    "%m/%d/%Y %H:%M": "12/31/2024 23:59",
    "%d/%m/%Y %H:%M:%S": "31/12/2024 23:59:59",
    "%m/%d/%Y %H:%M:%S": "12/31/2024 23:59:59",
    "%m/%d/%Y %I:%M %p": "12/31/2024 11:59 PM",
    "%m/%d/%Y %I:%M:%S %p": "12/31/2024 11:59:59 PM",
    "%d.%m.%Y %H:%M": "31.12.2024 23:59",
    "%Y/%m/%d %H:%M:%S": "2024/12/31 23:59:59",
    "%d %b %Y": "31 Dec 2024",
    "%b %d, %Y": "Dec 31, 2024",
    "%d-%b-%Y": "31-Dec-2024",
    "%b %Y": "Dec 2024",
    "%B %Y": "December 2024",
    "%Y-%m": "2024-12",
    "%m/%Y": "12/2024",
    "%G-W%V": "2024-W52",
    "%Y%m%d": "20241231",
}
"""Formats that people write dates in, with an example of each; any other of these directives can be declared."""

_DIRECTIVES = frozenset("aAbBdfGHIjmMpSuVyYzZ%")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_PLAIN_INTEGER = re.compile(r"-?[1-9][0-9]*|0")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_USUAL = re.compile(r"0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,14})(?P<fraction>\.[0-9]{1,15})")
_PADDED = re.compile(r"\+.*|-?0[0-9].*")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}(:[0-9]{2}(:[0-9]{2}(\.(?P<fraction>[0-9]+))?)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)
_DIGITS = 17  # significant decimal digits that tell any two 64-bit floating point numbers apart


class NotOfType(ValueError):
    """A cell that is no value of its type; the text says what was expected."""


def read_cell(
    kind: str, text: str, *, missing: Collection[str] = (), time_format: str | None = None, decimal: str = "."
) -> Any:
    """The value of a cell of type `kind`: bool, int, float, str, an aware datetime, or None where it is missing.

    `missing` are declared tokens for a missing value, besides the usual ones; `time_format` declares how a timestamp
    is written. Raises NotOfType where the text is no value of the type.
    """
    if kind == STRING:
        return None if not text or text in missing else text
    stripped = text.strip()
    if stripped in MISSING or stripped in missing:
        return None
    if kind == TIMESTAMP and time_format is not None:
        value: Any = parse_time(stripped, time_format)
    elif kind == NUMBER and decimal != ".":
        value = parse_number(_with_point(stripped, decimal))
    else:
        value = _PARSERS[kind](stripped)
    return None if missing and means_missing(kind, value, missing) else value


def _with_point(text: str, decimal: str) -> str:
    if "." in text:
        raise NotOfType(EXPECTED[NUMBER])
    return text.replace(decimal, ".")


def means_missing(kind: str, value: Any, missing: Collection[str]) -> bool:
    """Whether a number is one of the declared tokens, however it is written: -999.0 is -999."""
    return kind in (INTEGER, NUMBER) and value in missing_numbers(missing)


def missing_numbers(missing: Collection[str]) -> set[float]:
    """The declared tokens that are numbers."""
    return {float(token) for token in missing if _NUMBER.fullmatch(token) or _INFINITE.fullmatch(token)}


def parse_boolean(text: str) -> bool:
    """A boolean as people write it."""
    if text in TRUE or text == "1":
        return True
    if text in FALSE or text == "0":
        return False
    raise NotOfType(EXPECTED[BOOLEAN])


def parse_integer(text: str) -> int:
    """An integer that fits 64 bits; nothing is ever rounded."""
    if not _INTEGER.fullmatch(text) or len(text.lstrip("+-0")) > 19 or not -(2**63) <= (value := int(text)) < 2**63:
        raise NotOfType(EXPECTED[INTEGER])
    return value


def parse_number(text: str) -> float:
    """A finite number. An integer that floating point would round is none: it is an identifier or a count."""
    if not _NUMBER.fullmatch(text):
        raise NotOfType(EXPECTED[NUMBER])
    value = float(text)
    vanished = value == 0 and any(digit in "123456789" for digit in re.split("[eE]", text)[0])
    if not math.isfinite(value) or vanished or (_INTEGER.fullmatch(text) and _rounds(value, text)):
        raise NotOfType(EXPECTED[NUMBER])
    return value


def _rounds(value: float, integer: str) -> bool:
    return len(integer) > 15 and (len(integer) > 25 or int(value) != int(integer))


def parse_timestamp(text: str) -> datetime:
    """An ISO 8601 timestamp or date; without an offset it is UTC; what is finer than microseconds is cut."""
    if not _ISO.fullmatch(text):
        raise NotOfType(EXPECTED[TIMESTAMP])
    try:
        return _in_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise NotOfType(EXPECTED[TIMESTAMP]) from error


def parse_time(text: str, time_format: str) -> datetime:
    """A time in a declared format; a week without a day is its Monday, a month its first day, and all is UTC."""
    whole = ("%u", " 1") if "%V" in time_format and "%u" not in time_format else ("", "")
    try:
        return _in_utc(datetime.strptime(text + whole[1], f"{time_format} {whole[0]}".strip()))
    except (ValueError, OverflowError) as error:
        raise NotOfType(f"not a time written as {time_format!r}") from error


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    BOOLEAN: parse_boolean,
    INTEGER: parse_integer,
    NUMBER: parse_number,
    TIMESTAMP: parse_timestamp,
}


def format_fault(time_format: str) -> str | None:
    """What is wrong with a declared format of times; None where nothing is."""
    directives = re.findall(r"%(.?)", time_format)
    unknown = [each for each in directives if each not in _DIRECTIVES]
    if unknown:
        return f"the format {time_format!r} has the unknown directive %{unknown[0]}"
    if not {"Y", "y", "G"} & set(directives):
        return f"the format {time_format!r} has no year (%Y)"
    try:
        parse_time(datetime(2024, 12, 30, 23, 59, 59, tzinfo=UTC).strftime(time_format), time_format)
    except NotOfType:
        return f"the format {time_format!r} does not read back what it writes"
    return None


def formats_of(texts: Sequence[str]) -> list[str]:
    """The usual formats that each of these texts is written in."""
    return [each for each in FORMATS if texts and all(_is_written(text, each) for text in texts)]


def _is_written(text: str, time_format: str) -> bool:
    try:
        parse_time(text.strip(), time_format)
    except NotOfType:
        return False
    return True


def how_to_declare_times(column: str, formats: Sequence[str] = ()) -> str:
    """What to declare for a column of times that is text, in one of these formats or any other."""
    if formats:
        ways = " or ".join(f"formats: {{{column}: {each!r}}}" for each in formats)
        return f"declare how its times are written in the contract, {ways}"
    known = ", ".join(f"{each} ({example})" for each, example in FORMATS.items())
    return f"declare how its times are written in the contract, formats: {{{column}: ...}}, such as {known}"


def change_of(kind: str, text: str) -> str | None:
    """What reading a cell as `kind` changes of it; None where it can be written back as given."""
    stripped = text.strip()
    if kind in (INTEGER, NUMBER) and _PADDED.fullmatch(stripped):
        return "leading zeros or plus signs are lost"
    if kind == NUMBER and significant_digits(stripped) > _DIGITS:
        return f"digits behind the {_DIGITS}th are rounded"
    if kind == TIMESTAMP and (match := _ISO.fullmatch(stripped)) and (match["fraction"] or "")[6:].strip("0"):
        return "what is finer than microseconds is cut"
    return None


def significant_digits(text: str) -> int:
    """Decimal digits of a number that carry its value."""
    mantissa = re.split("[eE]", text)[0].lstrip("+-")
    whole, _, fraction = mantissa.partition(".")
    return len((whole + fraction).strip("0")) if fraction else len(whole.strip("0"))


def narrowest(text: str, decimal: str = ".") -> str | None:
    """The type that one cell suggests, None for a missing one; never a type that would change the value."""
    stripped = text.strip()
    if found := _USUAL.fullmatch(stripped):  # most cells of most files; the rest of the rule says the same of them
        if not found["fraction"]:
            return INTEGER
        if decimal == ".":
            return NUMBER
    if stripped in MISSING:
        return None
    if stripped in TRUE or stripped in FALSE:
        return BOOLEAN
    if _INFINITE.fullmatch(stripped):
        return NUMBER
    for kind in (INTEGER, NUMBER, TIMESTAMP):
        if _suits(kind, stripped, decimal):
            return kind
    return STRING


def _suits(kind: str, text: str, decimal: str) -> bool:
    if kind == INTEGER and not _PLAIN_INTEGER.fullmatch(text):
        return False
    if kind == NUMBER and (_PADDED.fullmatch(text) or _PLAIN_INTEGER.fullmatch(text)):
        return False
    return _reads(kind, text, decimal)


def _reads(kind: str, text: str, decimal: str) -> bool:
    try:
        read_cell(kind, text, decimal=decimal)
    except NotOfType:
        return False
    return True


def holds(kind: str, text: str, decimal: str = ".") -> bool:
    """Whether a guessed type holds this cell, too, without changing it."""
    return widened(kind, text, decimal) == kind and not is_infinite(text)


def is_infinite(text: str) -> bool:
    """Whether a cell spells an infinity: it suggests a column of numbers, and is no value of one."""
    return bool(_INFINITE.fullmatch(text.strip()))


def widest(one: str | None, other: str | None) -> str | None:
    """The narrowest type that holds both; None is a column without a value so far."""
    if one is None or one == other:
        return other
    if other is None:
        return one
    return NUMBER if {one, other} == {INTEGER, NUMBER} else STRING


def widened(kind: str | None, text: str, decimal: str = ".") -> str | None:
    """The narrowest type that holds what `kind` holds and this cell; `kind` itself where it holds the cell already."""
    suggested = narrowest(text, decimal)
    wider = widest(kind, suggested)
    if kind == NUMBER and suggested == INTEGER:
        return NUMBER if not _rounds(float(text), text.strip()) else STRING
    return wider
