"""What pydantic says of a wrong value, in words for people: the place, what is wrong, what would be right."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from headrace.contracts.durations import DURATION, duration_problem
from headrace.contracts.errors import Place, Problem, choice_problem, shown

_NAME_PATTERN = "{0,62}$"
_SIMPLE = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false"}
"""The types that a value of several has, by how pydantic's places name them."""
_NAME_FORM = "lower-case letters, digits, - and _ are allowed, at most 63, the first a letter or digit"


def explain(error: ValidationError, prefix: str = "") -> str:
    """The places of a validation error in one line each, as paths: `data.rows: should be a valid integer`."""
    return "; ".join(str(each) for each in problems_of(error, (prefix,) if prefix else ()))


def problems_of(error: ValidationError, prefix: Place = ()) -> list[Problem]:
    """The same, one problem each."""
    found = [Problem((*prefix, *each["loc"]), _said(each)) for each in merged(error.errors(include_url=False))]
    return [Problem(each.place or ("document",), each.text) for each in found]


def merged(errors: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The errors, those of one value that may be of several simple types as one that names all of them."""
    found: dict[Place, list[Mapping[str, Any]]] = {}
    for each in errors:
        *place, last = each["loc"] or ("",)
        own = tuple(place) if last in _SIMPLE and each["type"].endswith("_type") else (*each["loc"], each["type"])
        found.setdefault(own, []).append(each)
    return [each for own, alike in found.items() for each in ([_one(own, alike)] if len(alike) > 1 else alike)]


def _one(place: Place, alike: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    *kinds, last = dict.fromkeys(_SIMPLE[each["loc"][-1]] for each in alike)
    value = alike[0].get("input")
    return {"type": "merged", "loc": place, "msg": f"should be {', '.join([*kinds, last])}; not {_json(value)}"}


def _json(value: object) -> str:
    """A value as who sent it has written it."""
    return "null" if value is None else shown(value)


def _said(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "extra_forbidden":
        return "unknown field"
    if error["type"] == "merged":
        return str(error["msg"])
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
