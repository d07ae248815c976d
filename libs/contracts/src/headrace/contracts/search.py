"""Searches over parameters, as declarations ask for them: what is tried of each parameter, and whether it may be.

Pure: the catalogue of estimators says what a parameter takes; nothing here imports a library that fits.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headrace.contracts.errors import Place, Problem, choice_problem, hint, shown
from headrace.contracts.estimators import Estimator, Parameter, fits, frameworks, said_twice, unknown_param, words
from headrace.contracts.generated.models import Declaration, Search
from headrace.contracts.installed import Installed

AT: Place = ("training", "search")
SCALES = ("linear", "log")
MOST_CHOICES = 100
_FIELDS = ("from", "to", "scale", "step", "one_of")
_FORMS = "say {from: 1, to: 9}, {from: 0.001, to: 1, scale: log}, {from: 10, to: 90, step: 10} or {one_of: [a, b]}"


@dataclass(frozen=True)
class Dimension:
    """What is tried of one parameter: some values, or numbers from `low` to `high`, both among them."""

    kind: Literal["choice", "integer", "number"]
    choices: Sequence[Any] = ()
    low: float = 0
    high: float = 0
    log: bool = False
    """Whether every order of magnitude is tried as often as any other."""
    step: float | None = None
    """How far the numbers that are tried are apart, counted from `low`."""


class BadDimension(ValueError):
    """A dimension that says nothing that could be tried; the message says what would."""


def search_problems(declared: Declaration, catalog: Installed) -> Iterator[Problem]:
    """Everything that is wrong with `training.search`; nothing where the training itself cannot be read."""
    search, training = declared.training.search, declared.training
    info = frameworks().get(training.framework)
    if search is None or info is None:
        return
    if info.own_code:
        text = "tries parameters of an estimator; a trial of own code cannot be judged before its model is saved"
        yield Problem(AT, f"{text}. Ask for runs of an experiment instead: `headrace run MODEL --param NAME=VALUE`")
        return
    task = catalog.tasks[declared.task]
    path = training.estimator or info.usual_of(task.kinds)
    found = info.estimators.get(path)
    yield from _metric_problems(search, declared.task, catalog)
    if found is not None:
        decided = found.decided.get(task.learned_as, ())
        yield from space_problems(search.space, path, found, training.params, decided)
        yield from _twice(declared, found)


def _metric_problems(search: Search, task: str, catalog: Installed) -> Iterator[Problem]:
    known = catalog.metrics_of(task)
    if search.metric is not None and search.metric not in known:
        yield Problem((*AT, "metric"), f"{search.metric} is no metric of {task}; {hint(search.metric, known)}")


def _twice(declared: Declaration, estimator: Estimator) -> Iterator[Problem]:
    """What the declaration says for every framework cannot be searched under the library's own name."""
    search, training = declared.training.search, declared.training
    asked = {
        "class_weight": training.class_weight is not None,
        "monotone": bool(training.monotone),
        "early_stopping": training.early_stopping is not None,
    }
    for name in (name for name, wanted in asked.items() if wanted and search):
        if search and (twin := said_twice(name, estimator, search.space)):
            yield Problem((*AT, "space", twin), f"and training.{name} say the same; keep one of them")


def space_problems(
    space: Mapping[str, Any],
    path: str,
    estimator: Estimator,
    params: Mapping[str, Any],
    decided: Sequence[str] = (),
    at: Place = (*AT, "space"),
) -> Iterator[Problem]:
    """What is wrong with what is to be tried of an estimator, whose other parameters are `params`."""
    fixed = {estimator.canonical(name): name for name in params}
    said: dict[str, str] = {}
    for name, wanted in space.items():
        own = estimator.canonical(name)
        if own is None:
            yield Problem((*at, name), unknown_param(path, name, estimator))
        elif own in fixed:
            yield Problem((*at, name), f"is fixed by training.params.{fixed[own]}, too; keep one of them")
        elif own in decided:
            yield Problem((*at, name), "is decided by the task and its options; leave it out")
        elif own in said:
            yield Problem((*at, name), f"is another name of {said[own]!r}, which is there too; keep one of them")
        elif text := _problem(wanted, estimator.params[own]):
            yield Problem((*at, name), text)
        said.setdefault(own or name, name)


def _problem(wanted: Any, parameter: Parameter) -> str | None:
    try:
        dimension(wanted, parameter)
    except BadDimension as error:
        return str(error)
    return None


def dimension(wanted: Any, parameter: Parameter) -> Dimension:
    """A dimension as it is declared, within what the parameter takes. Raises BadDimension."""
    if parameter.names is not None:
        raise BadDimension(f"names {parameter.names} of the data, of which none is better than another; leave it out")
    if not isinstance(wanted, Mapping):
        raise BadDimension(f"{shown(wanted)} is no dimension; {_FORMS}")
    for name in wanted:
        if name not in _FIELDS:
            raise BadDimension(f"{choice_problem(str(name), _FIELDS)}; {_FORMS}")
    return _chosen(wanted, parameter) if "one_of" in wanted else _ranged(wanted, parameter)


def _chosen(wanted: Mapping[str, Any], parameter: Parameter) -> Dimension:
    choices = wanted["one_of"]
    if len(wanted) > 1:
        raise BadDimension("one_of stands alone; a range has from and to")
    if not isinstance(choices, list) or not 2 <= len(choices) <= MOST_CHOICES:
        raise BadDimension(f"one_of is a list of 2 to {MOST_CHOICES} values, not {shown(choices)}")
    for position, each in enumerate(choices):
        if not fits(each, parameter.allowed):
            raise BadDimension(f"one_of: the parameter {words(parameter.allowed)}; not {shown(each)}")
        if any(each == other and type(each) is type(other) for other in choices[:position]):
            raise BadDimension(f"one_of: {shown(each)} is there a second time")
    return Dimension("choice", choices=tuple(choices))


def _ranged(wanted: Mapping[str, Any], parameter: Parameter) -> Dimension:
    low, high = (_number(wanted, name) for name in ("from", "to"))
    if low >= high:
        raise BadDimension(f"from lies below to; not {low:g} and {high:g}")
    log, step = _scale(wanted, low), _step(wanted, low, high)
    kind = _kind(low, high, step, parameter)
    if kind == "integer" and step is not None and not float(step).is_integer():
        raise BadDimension(f"the parameter {words(parameter.allowed)}, and a step of {step:g} leads elsewhere")
    return Dimension(kind, low=low, high=high, log=log, step=step)


def _number(wanted: Mapping[str, Any], name: str) -> float:
    value = wanted.get(name)
    if value is None:
        raise BadDimension(f"{name} is missing; {_FORMS}")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise BadDimension(f"{name} is a number, not {shown(value)}; {_FORMS}")
    return value


def _scale(wanted: Mapping[str, Any], low: float) -> bool:
    scale = wanted.get("scale", "linear")
    if scale not in SCALES:
        raise BadDimension(f"scale: {choice_problem(str(scale), SCALES)}")
    if scale == "log" and low <= 0:
        raise BadDimension(f"a scale of log begins above 0; not at {low:g}")
    if scale == "log" and "step" in wanted:
        raise BadDimension("a step belongs to a linear scale; leave one of them out")
    return bool(scale == "log")


def _step(wanted: Mapping[str, Any], low: float, high: float) -> float | None:
    if "step" not in wanted:
        return None
    step = _number(wanted, "step")
    if not 0 < step <= high - low:
        raise BadDimension(f"a step lies above 0 and within the range; not {step:g}")
    return step


def _kind(low: float, high: float, step: float | None, parameter: Parameter) -> Literal["integer", "number"]:
    """Whether whole numbers are tried: where the parameter takes no others in this range, or all that is said is whole.

    A range of a parameter that takes both (a count or a share) is of those that it takes at both ends.
    """
    whole = [each for each in parameter.allowed if each.get("type") == "integer"]
    others = [each for each in parameter.allowed if each.get("type") == "number"]
    as_whole = _whole(low, high) and (not parameter.allowed or _inside(int(low), int(high), whole))
    as_other = not parameter.allowed or _inside(float(low), float(high), others)
    if as_whole and (not as_other or (step is not None and _whole(step))):
        return "integer"
    if as_other:
        return "number"
    raise BadDimension(f"the parameter {words(parameter.allowed)}; not all from {low:g} to {high:g}")


def _whole(*values: float) -> bool:
    return all(float(value).is_integer() for value in values)


def _inside(low: float, high: float, rules: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one rule holds both ends, and so all between them."""
    return any(fits(low, [rule]) and fits(high, [rule]) for rule in rules)


def dimensions(space: Mapping[str, Any], framework: str, estimator: str) -> dict[str, Dimension]:
    """What is tried of each parameter, of a space that was judged before. Raises BadDimension."""
    found = frameworks()[framework].estimators[estimator]
    return {name: dimension(wanted, found.params[found.canonical(name) or name]) for name, wanted in space.items()}
