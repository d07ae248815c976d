"""The estimators that declarations may name, with their parameters: read from a catalog, without the libraries.

`generated/estimators.json` is made by `make schemas` from the libraries that the trainer has.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from headrace.contracts.errors import Place, Problem, choice_problem, hint, shown
from headrace.contracts.generated.models import Declaration

EstimatorKind = Literal["classifier", "regressor", "ranker", "program"]
"""What an estimator answers: probabilities of classes, numbers, or scores by which rows are put in order.

What a program answers its task declares; no library has one, so that own code or an import brings it.
"""

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Parameter:
    """One parameter: the values that it takes (any, where none are listed), and what it names."""

    allowed: Sequence[Mapping[str, Any]] = ()
    default: Any = None
    aliases: Sequence[str] = ()
    names: Literal["columns", "labels"] | None = None


@dataclass(frozen=True)
class Estimator:
    """One estimator: its kind, its parameters, those that a run cannot take, and values that it needs."""

    kind: EstimatorKind
    params: Mapping[str, Parameter]
    needs: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    closed: Mapping[str, str] = field(default_factory=dict)
    cannot: Mapping[str, str] = field(default_factory=dict)
    """Tasks of its kind that it cannot fit, each with the reason."""
    takes: Sequence[str] = ()
    """What a declaration may ask of it beside its parameters: `weights`, `monotone`, `early_stopping`."""
    decided: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Parameters that a task sets, by the task."""

    def canonical(self, name: str) -> str | None:
        """The name that the estimator itself gives a parameter; None for one that it does not have."""
        return _names(self).get(name)


@dataclass(frozen=True)
class FrameworkInfo:
    """One framework: its estimators by import path, and why others of its library cannot be named."""

    version: str
    estimators: Mapping[str, Estimator]
    refused: Mapping[str, str]
    usual: Mapping[EstimatorKind, str]
    """What is trained where a declaration names no estimator: gradient-boosted trees."""
    own_code: bool = False
    """Whether it runs a user's code (`training.code`), and so has no estimators and takes any parameters."""

    def usual_of(self, kinds: Sequence[EstimatorKind]) -> str:
        """The usual estimator of the first of some kinds that the framework has one of; empty where it has none."""
        return next((self.usual[kind] for kind in kinds if kind in self.usual), "")


@cache
def frameworks() -> Mapping[str, FrameworkInfo]:
    """Every framework by its name in `training.framework`."""
    text = files("headrace.contracts.generated").joinpath("estimators.json").read_text()
    return {name: framework_info(entry) for name, entry in sorted(json.loads(text).items())}


def framework_info(entry: Mapping[str, Any]) -> FrameworkInfo:
    """A framework as its part of the catalogue tells it."""
    found = {path: _estimator(each) for path, each in entry["estimators"].items()}
    return FrameworkInfo(entry["version"], found, entry["refused"], entry["usual"], entry.get("own_code", False))


def _estimator(entry: Mapping[str, Any]) -> Estimator:
    params = {name: Parameter(**each) for name, each in entry["params"].items()}
    return Estimator(**{**entry, "params": params})


def _names(estimator: Estimator) -> dict[str, str]:
    own = {name: name for name in estimator.params}
    return {alias: name for name, each in estimator.params.items() for alias in each.aliases} | own


def kind_of_estimator(framework: str, estimator: str | None) -> EstimatorKind | None:
    """The kind of a named estimator; None where that is not known."""
    info = frameworks().get(framework)
    found = info.estimators.get(estimator) if info and estimator else None
    return found.kind if found else None


def usual_estimator(framework: str, *kinds: EstimatorKind) -> str | None:
    """What is trained where a declaration names no estimator: of the first kind that there is one of.

    None for a framework that is not known.
    """
    info = frameworks().get(framework)
    return (info.usual_of(kinds) or None) if info else None


def own_code_framework() -> str | None:
    """The framework that runs a user's code; None where none is installed."""
    return next((name for name, info in frameworks().items() if info.own_code), None)


def training_problems(
    framework: str, estimator: str | None, params: Params, task: str, *kinds: EstimatorKind, learned_as: str = ""
) -> Iterator[Problem]:
    """What is wrong with `training.framework`, `.estimator` and `.params`, for a task that kinds of estimator fit.

    `learned_as` is the task that the estimator learns, where that is another one.
    """
    info, learned = frameworks().get(framework), learned_as or task
    if info is None:
        yield Problem(("training", "framework"), choice_problem(framework, list(frameworks())))
        return
    if info.own_code:
        if estimator is not None:
            yield Problem(("training", "estimator"), f"framework {framework} has no estimators; leave it out")
        return
    if not info.usual_of(kinds):
        if estimator is not None:
            yield Problem(("training", "estimator"), f"task {task} has no estimators; {_OWN}")
        return
    path = estimator or info.usual_of(kinds)
    found = info.estimators.get(path)
    if found is None:
        yield Problem(("training", "estimator"), _unknown_estimator(framework, path, info))
    elif found.kind not in kinds:
        text = f"{path} is a {found.kind}, but the task is {task}, which a {' or a '.join(kinds)} fits"
        yield Problem(("training", "estimator"), f"{text}; name {_twin(path, info, kinds[-1])}, or say another task")
    elif learned in found.cannot:
        text = f"{path} cannot be trained for task {task}: it {found.cannot[learned]}"
        yield Problem(("training", "estimator"), f"{text}; {_instead(info, learned, kinds)}")
    else:
        yield from _decided_problems(found, params, learned)
        yield from params_problems(path, found, params)


_OWN = "bring a model by code of your own (training.code), or import one"
_NEEDED: Mapping[str, Place] = {
    "weights": ("data", "weight"),
    "class_weight": ("training", "class_weight"),
    "monotone": ("training", "monotone"),
    "early_stopping": ("training", "early_stopping"),
}
"""Where a declaration asks for something that not every estimator takes."""


def asked_problems(declared: Declaration, *kinds: EstimatorKind) -> Iterator[Problem]:
    """What a declaration asks of its estimator beside the parameters, and the estimator does not take."""
    training, info = declared.training, frameworks().get(declared.training.framework)
    path = training.estimator or (info.usual_of(kinds) if info and info.usual else "")
    found = info.estimators.get(path) if info else None
    asked = {
        "weights": declared.data.weight is not None,
        "class_weight": training.class_weight is not None,
        "monotone": bool(training.monotone),
        "early_stopping": training.early_stopping is not None,
    }
    if info and info.own_code:
        text = "is asked of estimators; own code does so by itself, told by training.params"
        yield from (Problem(_NEEDED[name], text) for name, wanted in asked.items() if wanted)
        return
    for name in [name for name, wanted in asked.items() if wanted and found]:
        if name == "class_weight" and "classifier" not in kinds:
            yield Problem(_NEEDED[name], f"is for labels, and task {declared.task} has none")
        elif found and ("weights" if name == "class_weight" else name) not in found.takes:
            yield Problem(_NEEDED[name], f"{path} {_WITHOUT[name]}; name an estimator that does, or leave it out")
        elif found and (twin := said_twice(name, found, training.params)):
            yield Problem(_NEEDED[name], f"and training.params.{twin} say the same; keep one of them")


_WITHOUT = {
    "weights": "does not weigh its rows",
    "class_weight": "does not weigh its rows",
    "monotone": "knows no monotone constraints",
    "early_stopping": "does not stop by rows that are kept apart from its fit",
}
_SAME = {
    "class_weight": ("class_weight", "scale_pos_weight", "is_unbalance"),
    "monotone": ("monotonic_cst", "monotone_constraints"),
    "early_stopping": ("early_stopping", "n_iter_no_change", "validation_fraction"),
}
"""Parameters of libraries that mean what a declaration says for all of them."""


def said_twice(name: str, estimator: Estimator, params: Params) -> str | None:
    """The parameter that means what a declaration says for all frameworks, such as `early_stopping`; None for none."""
    return next((each for each in params if estimator.canonical(each) in _SAME.get(name, ())), None)


def _decided_problems(estimator: Estimator, params: Params, task: str) -> Iterator[Problem]:
    """Parameters that the task sets, which would be told twice."""
    for name in params:
        if estimator.canonical(name) in estimator.decided.get(task, ()):
            yield Problem(("training", "params", name), f"is decided by the task {task} and its options; leave it out")


def params_problems(
    path: str, estimator: Estimator, params: Params, at: Place = ("training", "params")
) -> Iterator[Problem]:
    """What is wrong with the parameters of an estimator."""
    said: dict[str, str] = {}
    for name, value in params.items():
        own = estimator.canonical(name)
        if own is None:
            yield Problem((*at, name), unknown_param(path, name, estimator))
        elif own in said:
            yield Problem((*at, name), f"is another name of {said[own]!r}, which is there too; keep one of them")
        elif not fits(value, estimator.params[own].allowed):
            yield Problem((*at, name), f"{words(estimator.params[own].allowed)}; not {shown(value)}")
        said.setdefault(own or name, name)
    for name, values in estimator.needs.items():
        if params.get(name) not in values:
            yield Problem((*at, name), f"{path} gives probabilities with {_listed(values)} alone; say so")


def _unknown_estimator(framework: str, path: str, info: FrameworkInfo) -> str:
    if path in info.refused:
        return f"{path} {info.refused[path]}; {len(info.estimators)} estimators of {framework} can be trained"
    elsewhere = [name for name, each in frameworks().items() if path in each.estimators]
    if elsewhere:
        return f"{path} belongs to the framework {elsewhere[0]}; say `framework: {elsewhere[0]}`"
    last = path.rpartition(".")[2]
    same = [known for known in info.estimators if known.rpartition(".")[2].lower() == last.lower()]
    near = f"did you mean {same[0]!r}?" if same else hint(path, info.estimators)
    return f"{framework} has no estimator {shown(path)} that can be trained; {near}"


def _instead(info: FrameworkInfo, task: str, kinds: Sequence[EstimatorKind]) -> str:
    """What is proposed instead of an estimator that cannot fit a task."""
    usual = info.usual_of(kinds)
    able = [name for name, each in info.estimators.items() if each.kind in kinds and task not in each.cannot]
    if not able:
        return "name another framework, since none of its estimators can"
    return f"name {usual if usual in able else able[0]}, or another one"


def _twin(path: str, info: FrameworkInfo, kind: EstimatorKind) -> str:
    """The estimator of the other kind that is called alike."""
    swapped = (
        path.replace("Regressor", "Classifier") if kind == "classifier" else path.replace("Classifier", "Regressor")
    )
    return swapped if swapped in info.estimators else info.usual[kind]


def unknown_param(path: str, name: str, estimator: Estimator) -> str:
    """What is said of a parameter that an estimator does not have, or that a run cannot take."""
    if name in estimator.closed:
        return f"{name} {estimator.closed[name]}; leave it out"
    return f"{path} has no parameter {name!r}; {hint(name, dict.fromkeys([*estimator.params, *_names(estimator)]))}"


def fits(value: Any, allowed: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a value is one of those allowed; where none are listed any is."""
    return not allowed or any(_fits(value, each) for each in allowed)


def _fits(value: Any, rule: Mapping[str, Any]) -> bool:
    if "one_of" in rule:
        return any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in rule["one_of"])
    kind = rule["type"]
    if kind in ("integer", "number"):
        return _is_number(value, kind) and _within(value, rule)
    types: Mapping[str, type] = {"boolean": bool, "null": type(None), "string": str, "list": list, "object": Mapping}
    return isinstance(value, types[kind]) and _inside_fits(value, rule)


def _inside_fits(value: Any, rule: Mapping[str, Any]) -> bool:
    """Whether the items of a list, or the keys of a mapping, are as a rule says of them; anything where it does not."""
    if "items" in rule:
        return all(fits(each, rule["items"]) for each in value)
    if "keys" in rule:
        known = rule["keys"]
        return set(rule["needed"]) <= set(value) <= set(known) and all(
            _fits(value[name], known[name]) for name in value
        )
    return True


def _is_number(value: Any, kind: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) and (kind == "number" or isinstance(value, int))


def _within(value: float, rule: Mapping[str, Any]) -> bool:
    low, high, opened = rule.get("min", -math.inf), rule.get("max", math.inf), rule.get("open", ())
    above = value > low if "min" in opened else value >= low
    return bool(above and (value < high if "max" in opened else value <= high))


def words(allowed: Sequence[Mapping[str, Any]]) -> str:
    """The allowed values in words."""
    return f"takes {' or '.join(_words(each) for each in allowed)}"


def _words(rule: Mapping[str, Any]) -> str:
    if "one_of" in rule:
        return _listed(rule["one_of"])
    if "items" in rule:
        return f"a list, each {' or '.join(_words(each) for each in rule['items'])}"
    if "keys" in rule:
        return f"a mapping of {', '.join(_key_in_words(name, rule) for name in rule['keys'])}"
    plain = {"boolean": "true or false", "null": "null", "string": "text", "list": "a list", "object": "a mapping"}
    if rule["type"] in plain:
        return plain[rule["type"]]
    return f"{'an integer' if rule['type'] == 'integer' else 'a number'}{_range(rule)}"


def _key_in_words(name: str, rule: Mapping[str, Any]) -> str:
    return name if name in rule["needed"] else f"{name} if wanted"


def _range(rule: Mapping[str, Any]) -> str:
    opened = rule.get("open", ())
    low = f"{'above' if 'min' in opened else 'from'} {rule['min']:g}" if "min" in rule else ""
    high = f"{'below' if 'max' in opened else 'to'} {rule['max']:g}" if "max" in rule else ""
    return "".join(f" {each}" for each in (low, high) if each)


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(json.dumps(value) for value in values)


def columns_named(framework: str, estimator: str, params: Params) -> Iterator[tuple[Place, str]]:
    """Every column that a parameter names, with its place below `training.params`."""
    yield from _named(framework, estimator, params, "columns")


def labels_named(framework: str, estimator: str, params: Params) -> Iterator[tuple[Place, str]]:
    """Every label of the target that a parameter names, as text, with its place below `training.params`."""
    yield from _named(framework, estimator, params, "labels")


def _named(framework: str, estimator: str, params: Params, what: str) -> Iterator[tuple[Place, str]]:
    found = frameworks()[framework].estimators.get(estimator) if framework in frameworks() else None
    for name, value in params.items():
        own = found.canonical(name) if found else None
        if found and own and found.params[own].names == what:
            yield from _texts(value, (name,))


def _texts(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, Mapping):
        yield from (((*place, key), key) for key in value if isinstance(key, str))
    elif isinstance(value, list):
        for position, each in enumerate(value):
            if isinstance(each, str):
                yield (*place, position), each
            else:
                yield from _texts(each, (*place, position))
