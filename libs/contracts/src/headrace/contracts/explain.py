"""What pydantic says of a wrong value, in words for people: the place, what is wrong, what would be right."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from headrace.contracts.durations import DURATION, duration_problem
from headrace.contracts.errors import Place, Problem, choice_problem, shown

_NAME_PATTERN = "{0,62}$"
_NAME_FORM = "lower-case letters, digits, - and _ are allowed, at most 63, the first a letter or digit"


def explain(error: ValidationError, prefix: str = "") -> str:
    """The places of a validation error in one line each, as paths: `data.rows: should be a valid integer`."""
    return "; ".join(str(each) for each in problems_of(error, (prefix,) if prefix else ()))


def problems_of(error: ValidationError, prefix: Place = ()) -> list[Problem]:
    """The same, one problem each; of a value that may be one of several, each possibility is told."""
    found = [Problem((*prefix, *each["loc"]), _said(each)) for each in error.errors(include_url=False)]
    return [Problem(each.place or ("document",), each.text) for each in found]


def _said(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "extra_forbidden":
        return "unknown field"
    value = error.get("input")
    if error["type"] == "literal_error" and isinstance(value, str):
        return choice_problem(value, re.findall(r"'([^']*)'", error["ctx"]["expected"]))
    if error["type"] == "string_pattern_mismatch":
        pattern = error["ctx"]["pattern"]
        if pattern == DURATION:
            return duration_problem(str(value)) or "is no duration"
        if pattern.endswith(_NAME_PATTERN):
            return f"{_NAME_FORM}; not {shown(value)}"
    return f"{str(error['msg']).removeprefix('Input ')}, not {shown(value)}"
