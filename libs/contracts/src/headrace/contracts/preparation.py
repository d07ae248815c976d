"""The steps that prepare columns for an estimator, as declarations name them: a catalogue without the libraries.

`generated/steps.json` is made by `make schemas` from `headrace.frameworks.preparation`, which fits and exports them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from headrace.contracts.errors import Place, Problem, choice_problem, hint, shown
from headrace.contracts.estimators import fits, words
from headrace.contracts.generated.models import Declaration, Preparation, Prepared, PreparedStep

NUMERIC, BOOLEAN, TEXT, TIMESTAMP = "numeric", "boolean", "string", "timestamp"
CATEGORY = "category"
"""Text in which what is missing was filled: no column has this kind, some steps give it."""
KINDS: Mapping[str, str] = {
    NUMERIC: "numbers",
    BOOLEAN: "true and false",
    TEXT: "text",
    TIMESTAMP: "times",
}
"""The kinds of columns that a preparation may name, with their words."""
_WORDS: Mapping[str, str] = {**KINDS, CATEGORY: "text without gaps"}
_OF_TYPES: Mapping[str, str] = {"integer": NUMERIC, "number": NUMERIC}
_SHOWN = 4  # values of one list in a sentence
_AT: Place = ("training", "preparation")


@dataclass(frozen=True)
class StepParam:
    """One parameter of a step."""

    about: str
    allowed: Sequence[Mapping[str, Any]] = ()
    """The values that it takes."""
    of: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """The values that it takes for some kinds of columns, where they are others."""
    default: Any = None
    only: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Values of another parameter without which it has no effect."""
    needed: bool = False
    """Whether it must be said where it has an effect."""


@dataclass(frozen=True)
class StepInfo:
    """One step: the kinds that it takes, each with the kind that it makes of it, and its parameters."""

    about: str
    takes: Mapping[str, str]
    params: Mapping[str, StepParam] = field(default_factory=dict)
    alone: bool = False
    """Whether no other step may stand beside it."""
    per_value: bool = False
    """Whether every different text is something of its own: not for identifiers and free text."""
    leaves_out: bool = False
    """Whether the column is no feature at all."""


@dataclass(frozen=True)
class Wanted:
    """A step as a declaration asks for it."""

    step: str
    params: Mapping[str, Any] = field(default_factory=dict)


@cache
def steps() -> Mapping[str, StepInfo]:
    """Every step by its name."""
    text = files("headrace.contracts.generated").joinpath("steps.json").read_text()
    return {name: step_info(entry) for name, entry in json.loads(text).items()}


def step_info(entry: Mapping[str, Any]) -> StepInfo:
    """A step as its part of the catalogue tells it."""
    return StepInfo(**{**entry, "params": {name: StepParam(**each) for name, each in entry["params"].items()}})


def kind_of_type(column_type: str) -> str:
    """The kind of a column, by its type."""
    return _OF_TYPES.get(column_type, column_type)


def chain_of(entries: Sequence[Any]) -> tuple[Wanted, ...]:
    """The steps of a declaration, each a name or a mapping from it to its parameters; what is none is left out."""
    found = (_parts(entry) for entry in entries)
    return tuple(Wanted(name, params) for name, params, wrong in found if wrong is None and name in steps())


def declared_chain(prepared: Preparation | None, column: str, column_type: str) -> tuple[Wanted, ...] | None:
    """What a declaration says of a column, by its name or by its kind; None where it says nothing."""
    if prepared is None:
        return None
    if (entries := prepared.columns.get(column)) is not None:
        return chain_of(entries)
    entries = prepared.kinds.get(kind_of_type(column_type))
    return None if entries is None else chain_of(entries)


def is_left_out(chain: Sequence[Wanted] | None) -> bool:
    """Whether a chain says that a column is no feature."""
    return chain is not None and any(steps()[each.step].leaves_out for each in chain)


def with_many_values(chain: Sequence[Wanted] | None) -> bool:
    """Whether a text column is taken as categories, each of them something of its own: the usual way, too."""
    return chain is None or any(steps()[each.step].per_value for each in chain)


def preparation_problems(declared: Declaration) -> Iterator[Problem]:
    """What is wrong with `training.preparation`, whatever the dataset holds."""
    prepared = declared.training.preparation
    if prepared is None:
        return
    for kind, entries in prepared.kinds.items():
        if kind not in KINDS:
            yield Problem((*_AT, "kinds", kind), f"kind of column {choice_problem(kind, list(KINDS))}")
        else:
            yield from chain_problems(entries, (*_AT, "kinds", kind), kind)
    for column, entries in prepared.columns.items():
        yield from chain_problems(entries, (*_AT, "columns", column), None)
        if column == declared.data.target:
            yield Problem((*_AT, "columns", column), f"{column!r} is the target; only features are prepared")


def typed_problems(prepared: Preparation | None, types: Mapping[str, str]) -> Iterator[Problem]:
    """What does not fit the types of the dataset's columns."""
    for column, entries in (prepared.columns if prepared else {}).items():
        if column in types:
            place = (*_AT, "columns", column)
            found = list(chain_problems(entries, place, kind_of_type(types[column])))
            already = set(chain_problems(entries, place, None))
            yield from (each for each in found if each not in already)


def chain_problems(entries: Sequence[Any], at: Place, kind: str | None) -> Iterator[Problem]:
    """What is wrong with the steps for a column of a kind; None where the kind is not known."""
    if not entries:
        yield Problem(at, "names no step; say passthrough for a number as it is, or leave it out for the usual steps")
    start = kind
    for position, entry in enumerate(entries):
        place = (*at, position)
        name, params, text = _parts(entry)
        if text is None and name not in steps():
            text = f"step {choice_problem(name, list(steps()))}"
        if text is not None:
            yield Problem(place, text)
            return
        info = steps()[name]
        if info.alone and len(entries) > 1:
            yield Problem(place, f"{name} stands alone; leave the other steps out")
        if kind is not None and kind not in info.takes:
            yield Problem(place, _not_taken(name, info, kind))
            return
        yield from _param_problems(name, info, params, (*place, name), kind)
        kind = _given(info, kind)
    if start is not None and kind not in (NUMERIC, None) and entries:
        yield Problem(at, f"ends with {_WORDS[kind or NUMERIC]}, which no estimator takes; {_ways(kind or NUMERIC)}")


def _given(info: StepInfo, kind: str | None) -> str | None:
    """The kind behind a step; where the column's own is not known, the only one that the step can give."""
    if kind is not None:
        return info.takes[kind]
    given = set(info.takes.values())
    return given.pop() if len(given) == 1 else None


def _not_taken(name: str, info: StepInfo, kind: str) -> str:
    takes = " and ".join(_WORDS[each] for each in info.takes if each != CATEGORY)
    return f"{name} takes {takes}, not {_WORDS[kind]}; {_ways(kind)}"


def _ways(kind: str) -> str:
    fitting = [name for name, info in steps().items() if kind in info.takes]
    return f"{_WORDS[kind]} may go to {', '.join(fitting)}"


def _parts(entry: Any) -> tuple[str, Mapping[str, Any], str | None]:
    """Name and parameters of a step as it was written, or what is wrong with its form."""
    if isinstance(entry, str):
        return entry, {}, None
    if isinstance(entry, Mapping) and len(entry) == 1:
        ((name, params),) = entry.items()
        if params is None or isinstance(params, Mapping):
            return str(name), params or {}, None
    return "", {}, f"is no step: write its name, or {{name: {{parameter: value}}}}; not {shown(entry)}"


def _param_problems(
    step: str, info: StepInfo, params: Mapping[str, Any], at: Place, kind: str | None
) -> Iterator[Problem]:
    for name, value in params.items():
        param = info.params.get(name)
        if param is None:
            known = f"; {hint(name, info.params)}" if info.params else " and takes none"
            yield Problem((*at, name), f"{step} has no parameter {name!r}{known}")
        elif (text := _useless(param, params, info)) or (text := _value_problem(value, _rules(param, kind))):
            yield Problem((*at, name), text)
    for name, param in info.params.items():
        if param.needed and name not in params and _useless(param, params, info) is None:
            yield Problem((*at, name), f"is missing; it {_one_value(_rules(param, kind))}")


def _rules(param: StepParam, kind: str | None) -> Sequence[Mapping[str, Any]]:
    if kind is None and param.of:
        return [*param.allowed, *(rule for rules in param.of.values() for rule in rules)]
    return param.of.get(kind or "", param.allowed)


def _useless(param: StepParam, params: Mapping[str, Any], info: StepInfo) -> str | None:
    for other, values in param.only.items():
        if params.get(other, info.params[other].default) not in values:
            return f"has no effect without `{other}: {' or '.join(map(str, values))}`"
    return None


def _value_problem(value: Any, rules: Sequence[Mapping[str, Any]]) -> str | None:
    lists = [rule for rule in rules if rule.get("type") == "list"]
    plain = [rule for rule in rules if rule.get("type") != "list"]
    if plain and fits(value, plain):
        return None
    if lists and isinstance(value, list):
        return _list_problem(value, lists)
    return f"{_one_value(rules)}; not {shown(value)}"


def _list_problem(values: list[Any], rules: Sequence[Mapping[str, Any]]) -> str | None:
    items = [rule["of"] for rule in rules]
    if not values:
        return "is an empty list"
    if wrong := [each for each in values if not fits(each, items)]:
        return f"each entry {words(items)}; not {shown(wrong[0])}"
    if twice := [each for at, each in enumerate(values) if each in values[:at]]:
        return f"{shown(twice[0])} is there a second time"
    if any(rule.get("rising") for rule in rules) and values != sorted(values):
        return "must rise from entry to entry"
    return None


def _one_value(rules: Sequence[Mapping[str, Any]]) -> str:
    lists = [rule["of"] for rule in rules if rule.get("type") == "list"]
    plain = [rule for rule in rules if rule.get("type") != "list"]
    listed = f"takes a list, each entry of which {words(lists)}" if lists else ""
    return f"{words(plain)}, or {listed}" if lists and plain else listed or words(plain)


def told(prepared: Prepared) -> str:
    """What was done to some columns and learned of them, on one line."""
    done = ", ".join(_step_told(step) for step in prepared.steps) or "as they are"
    numbers = "1 number" if prepared.makes == 1 else f"{prepared.makes} numbers"
    return f"{', '.join(prepared.columns)}: {done}; {numbers}{' (usual)' if prepared.usual else ''}"


def _step_told(step: PreparedStep) -> str:
    figures = [f"{name} {_some(value)}" for name, value in {**step.params, **step.learned}.items()]
    return f"{step.step} ({'; '.join(figures)})" if figures else step.step


def _some(value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    listed = ", ".join(f"{each:.4g}" if isinstance(each, float) else json.dumps(each) for each in values[:_SHOWN])
    return f"{listed}, ..." if len(values) > _SHOWN else listed
