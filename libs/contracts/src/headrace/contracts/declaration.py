"""Reading declarations: one function decides whether one is good, for HTTP, events and the command line alike."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from headrace.contracts.catalogs import name_problems
from headrace.contracts.columns import KnownDataset, column_problems, column_warnings, promised
from headrace.contracts.documents import load_yaml
from headrace.contracts.errors import ContractError, Place, Problem, hint
from headrace.contracts.estimators import kind_of_estimator, own_code_framework, usual_estimator
from headrace.contracts.explain import problems_of
from headrace.contracts.generated.models import Declaration, Evaluation, Gate, Monitoring
from headrace.contracts.installed import Installed, TaskInfo
from headrace.contracts.names import column_name
from headrace.contracts.options import FIELD, Option, filled_options, option_columns
from headrace.contracts.rules import bounds, problems, warnings

Source = bytes | str | Mapping[str, Any]
Document = dict[str, Any]

RIVALS = ("trivial", "champion")  # that a version must beat where no gates are declared
USUAL_RATIO = 0.8  # the four-fifths rule, where fairness is a ratio and no limit is declared
_COLUMNS = ("target", "time", "weight")
_LISTS_OF_COLUMNS = ("features", "ignore", "groups", "context")


@dataclass(frozen=True)
class Examined:
    """A good declaration with its defaults filled in, and what in it may surprise."""

    declaration: Declaration
    warnings: Sequence[str]


def examine(source: Source, catalog: Installed, dataset: KnownDataset | None = None) -> Examined:
    """A declaration with its defaults filled in, and what in it is legal but may surprise.

    Raises ContractError with every wrong place; what is unknown is answered with the nearest known name. `source` is
    YAML, JSON, or the parsed document. `dataset` is what is known of the dataset: columns are checked against it.
    `headrace.tasks.examine` is the same with the tasks and metrics that are installed.
    """
    document = _plain(_document(source))
    catalog = catalog.with_own_metrics(document)
    _refuse([*bounds(document), *_unknown(document, Declaration, ()), *_unknown_names(document, catalog)])
    _normalise_columns(document)
    _choose_framework(document)
    surprises = _choose_task(document, catalog, dataset)
    _normalise_options(document, catalog)
    _choose_time(document, catalog)
    try:
        declared = Declaration.model_validate(document)
    except ValidationError as error:
        raise ContractError.of(problems_of(error)) from error
    known = dataset or promised(declared)
    _refuse([*problems(declared, catalog), *_held_against(declared, known, catalog)])
    filled = _filled(declared, catalog)
    told = [*surprises, *warnings(filled, catalog)]
    return Examined(filled, [*told, *(column_warnings(filled, known, catalog) if known else ())])


def _unknown_names(document: Document, catalog: Installed) -> Iterator[Problem]:
    yield from name_problems(document)
    yield from catalog.name_problems(document)


def _held_against(declared: Declaration, known: KnownDataset | None, catalog: Installed) -> Iterator[Problem]:
    """What does not fit the dataset, where that is known; the usual estimator counts as named."""
    if known is not None:
        training = declared.training.model_copy(update={"estimator": _estimator(declared, catalog)})
        yield from column_problems(declared.model_copy(update={"training": training}), known, catalog)


def _refuse(found: Sequence[Problem]) -> None:
    if found:
        raise ContractError.of(found)


def _document(source: Source) -> Mapping[str, Any]:
    document = source if isinstance(source, Mapping) else load_yaml(source)
    if not isinstance(document, Mapping):
        raise ContractError("a declaration is a mapping with at least name and data: {dataset, target}")
    return document


def _plain(document: Mapping[str, Any]) -> Document:
    """The document as JSON would carry it: the keys of every mapping are text."""

    def key(name: Any) -> str:
        return name if isinstance(name, str) else json.dumps(name)

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key(name): plain(each) for name, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value

    try:
        found: Document = plain(document)
    except (RecursionError, TypeError) as error:
        raise ContractError(f"this cannot be written as JSON: {error}") from error
    return found


def _normalise_columns(document: Document) -> None:
    """Names of columns in their composed form, as data have them; raises ContractError at what nobody sees."""
    data = document.get("data")
    if not isinstance(data, dict):
        return
    for name in (each for each in _COLUMNS if isinstance(data.get(each), str)):
        data[name] = _column(data[name], ("data", name))
    for name in (each for each in _LISTS_OF_COLUMNS if isinstance(data.get(each), list)):
        data[name] = [_column(each, ("data", name, at)) for at, each in enumerate(data[name])]
    training = document.get("training")
    prepared = training.get("preparation") if isinstance(training, dict) else None
    if isinstance(prepared, dict) and isinstance(prepared.get("columns"), dict):
        place = ("training", "preparation", "columns")
        prepared["columns"] = {_column(name, (*place, name)): each for name, each in prepared["columns"].items()}


def _normalise_options(document: Document, catalog: Installed) -> None:
    """The same for columns that the task's options name."""
    given, task = document.get(FIELD), catalog.tasks.get(str(document["task"]))
    if not isinstance(given, dict) or task is None:
        return
    _normalise(given, task.options, (FIELD,))


def _normalise(given: Document, options: Sequence[Option], at: Place) -> None:
    for option in options:
        value, place = given.get(option.name), (*at, option.name)
        if option.names and isinstance(value, str):
            given[option.name] = _column(value, place)
        elif option.names and isinstance(value, list):
            given[option.name] = [_column(each, (*place, number)) for number, each in enumerate(value)]
        elif option.fields and isinstance(value, list):
            for number, each in enumerate(value):
                if isinstance(each, dict):
                    _normalise(each, option.fields, (*place, number))


def _choose_time(document: Document, catalog: Installed) -> None:
    """The column that orders the rows, where an option of the task names it."""
    given, data, task = document.get(FIELD), document.get("data"), catalog.tasks.get(str(document["task"]))
    if not isinstance(given, dict) or not isinstance(data, dict) or task is None or "time" in data:
        return
    for _, column in option_columns(given, task, "time"):
        data["time"] = column


def _column(name: Any, place: Place) -> Any:
    try:
        return column_name(name) if isinstance(name, str) else name
    except ContractError as error:
        raise ContractError.of([Problem(place, str(error))]) from error


def _choose_framework(document: Document) -> None:
    """Own code is run by one framework, which need not be named."""
    training, framework = document.get("training"), own_code_framework()
    if isinstance(training, dict) and "code" in training and framework is not None:
        training.setdefault("framework", framework)


def _choose_task(document: Document, catalog: Installed, dataset: KnownDataset | None) -> list[str]:
    """Say the task where the declaration leaves it out: one that the estimator fits, and that takes the target."""
    if "task" in document:
        return []
    framework, estimator = (
        _text(document, "training", "framework") or "sklearn",
        _text(document, "training", "estimator"),
    )
    options = document.get(FIELD)
    fitting = catalog.fitted_by(kind_of_estimator(framework, estimator), options if isinstance(options, dict) else {})
    target = _text(document, "data", "target")
    column = dataset.column(target) if dataset and target else None
    found = next((task for task in fitting if column and task.takes(column)), None)
    document["task"] = (found or fitting[0]).name
    if target is None or len(fitting) == 1:
        return []
    if found is None:
        return [_guessed(fitting, target)]
    doubt = found.doubt(column) if column else None
    return [f"task: {found.name} is taken, {doubt}"] if doubt else []


def _guessed(fitting: Sequence[TaskInfo], target: str) -> str:
    first, *others = fitting
    ways = " or ".join(f"`task: {task.name}` ({task.about})" for task in others)
    return f"task: {first.name} ({first.about}) is taken; say {ways} where {target!r} calls for it"


def _text(document: Document, part: str, name: str) -> str | None:
    inside = document.get(part)
    value = inside.get(name) if isinstance(inside, dict) else None
    return value if isinstance(value, str) else None


def _unknown(document: Mapping[str, Any], model: type[BaseModel], at: Place) -> Iterator[Problem]:
    known = list(model.model_fields)
    for name, value in document.items():
        if name not in known:
            yield Problem((*at, name), f"unknown field; {hint(name, known)}")
        else:
            yield from _unknown_inside(value, model.model_fields[name], (*at, name))


def _unknown_inside(value: Any, field: FieldInfo, at: Place) -> Iterator[Problem]:
    inner = _model_in(field.annotation)
    if inner is None:
        return
    for place, each in enumerate(value) if isinstance(value, list) else [(None, value)]:
        if isinstance(each, Mapping):
            yield from _unknown(each, inner, at if place is None else (*at, place))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, directly, in a list or optionally."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for each in get_args(annotation) if (model := _model_in(each))), None)


def _filled(declared: Declaration, catalog: Installed) -> Declaration:
    """Defaults that depend on other parts: metrics by task, gates, holdout by the time column, the usual estimator."""
    evaluation = declared.evaluation
    holdout = evaluation.holdout
    usual = catalog.usual_metrics(declared.task, declared.task_options or {})
    filled = evaluation.model_copy(
        update={
            "metrics": _all_metrics(declared, usual),
            "gates": _gates(evaluation, usual, RIVALS if catalog.tasks[declared.task].trivial else RIVALS[1:]),
            "holdout": holdout.model_copy(update={"by": holdout.by or ("time" if declared.data.time else "random")}),
        }
    )
    training = declared.training.model_copy(update={"estimator": _estimator(declared, catalog)})
    monitoring = _monitoring(declared.monitoring)
    filled_in = {"evaluation": filled, "training": training, "monitoring": monitoring}
    return declared.model_copy(update={**filled_in, FIELD: _options(declared, catalog)})


def _options(declared: Declaration, catalog: Installed) -> dict[str, Any] | None:
    """With their defaults; a task without options has none, so that declarations from before stay as they were."""
    return filled_options(declared.task_options or {}, catalog.tasks[declared.task]) or None


def _estimator(declared: Declaration, catalog: Installed) -> str | None:
    """The estimator that is named, else the usual one of the framework for the task."""
    training = declared.training
    return training.estimator or usual_estimator(training.framework, *catalog.tasks[declared.task].kinds)


def _monitoring(declared: Monitoring) -> Monitoring:
    """A ratio of rates has another usual limit than their difference."""
    policy = declared.fairness
    if policy is None or policy.measure != "parity_ratio" or "limit" in policy.model_fields_set:
        return declared
    return declared.model_copy(update={"fairness": policy.model_copy(update={"limit": USUAL_RATIO})})


def _gates(evaluation: Evaluation, usual: Sequence[str], rivals: Sequence[str]) -> list[Gate]:
    """What is declared, also where that is none; else the floor of every first version, and better than the champion.

    The floor is the trivial answer: a model that is no better than the share of each label, or the mean, is none.
    """
    if "gates" in evaluation.model_fields_set:
        return evaluation.gates
    first = evaluation.metrics[0] if evaluation.metrics else usual[0]
    return [Gate.model_validate({"metric": first, "beats": whom}) for whom in rivals]


def _all_metrics(declared: Declaration, usual: Sequence[str]) -> list[str]:
    """The metrics to compute, and those that gates and monitoring need."""
    watched, evaluation = declared.monitoring.performance, declared.evaluation
    wanted: Sequence[str] = evaluation.metrics or usual
    needed: list[str] = [*(gate.metric for gate in evaluation.gates), *([watched.metric] if watched else [])]
    return list(dict.fromkeys([*wanted, *needed]))
