"""What exactly a run learns, from which columns: declaration and request resolved against a dataset version.

Pure: the standard library, contracts and tasks only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from headrace.contracts import Column, Declaration, EarlyStopping, Preparation
from headrace.contracts.catalogs import CATALOGS
from headrace.contracts.cells import FORMATS
from headrace.contracts.columns import features_among, how_to_use_times, own_columns
from headrace.contracts.preparation import declared_chain
from headrace.tasks import INSTALLED, task_named


class Unplannable(ValueError):
    """The declaration and the data do not fit together; the message says what would."""


@dataclass(frozen=True)
class Plan:
    """Everything that decides a run, resolved from declaration, request and dataset version."""

    features: Sequence[Column]
    context: Sequence[Column]
    target: str
    task: str
    positive: int | float | str | bool | None
    options: Mapping[str, Any]
    time: str | None
    framework: str
    estimator: str
    params: Mapping[str, Any]
    seed: int
    metrics: Sequence[str]
    by: Literal["time", "random"]
    fraction: float
    grouped_by: str | None = None
    weight: str | None = None
    class_weight: Mapping[str, float] | Literal["balanced"] | None = None
    monotone: Mapping[str, int] = field(default_factory=dict)
    early_stopping: EarlyStopping | None = None
    warnings: Sequence[str] = ()
    preparation: Preparation | None = None


def plan(
    declaration: Declaration,
    columns: Sequence[Column],
    params: Mapping[str, Any],
    seed: int | None,
    estimator: str,
) -> Plan:
    """Resolve a run against the columns of its dataset version; raise Unplannable where they do not fit.

    `estimator` is the framework's own for the task, taken where the declaration names none.
    """
    data, training = declaration.data, declaration.training
    known = {column.name: column for column in columns}
    for role, name in (("target", data.target), ("time column", data.time), ("weight column", data.weight)):
        if name is not None and name not in known:
            raise Unplannable(f"{role} {name!r} is no column of dataset {data.dataset!r}: {', '.join(known)}")
    features = _features(declaration, known)
    if data.time is not None and known[data.time].type == "string":
        raise Unplannable(_text_for_time(data.time))
    if task_named(declaration.task).framed_by and (data.time is None or known[data.time].type != "timestamp"):
        raise Unplannable(f"time column {data.time!r} holds no timestamps, and steps are counted on a calendar")
    return Plan(
        features=features,
        context=_context(declaration, features, known),
        target=data.target,
        task=declaration.task,
        positive=data.positive,
        options=declaration.task_options or {},
        time=data.time,
        framework=training.framework,
        estimator=training.estimator or estimator,
        params={**training.params, **params},
        seed=training.seed if seed is None else seed,
        metrics=metrics_of(declaration),
        by=_holdout_by(declaration),
        fraction=declaration.evaluation.holdout.fraction,
        weight=data.weight,
        class_weight=training.class_weight,
        monotone=training.monotone or {},
        early_stopping=training.early_stopping,
        grouped_by=task_named(declaration.task).grouped_by(declaration.task_options or {}),
        warnings=_left_out(declaration, known, features),
        preparation=training.preparation,
    )


def metrics_of(declaration: Declaration) -> list[str]:
    """The metrics of a run: those declared (else the usual of the task), and those that a gate asks about."""
    asked = declaration.evaluation.metrics or INSTALLED.usual_metrics(declaration.task, declaration.task_options or {})
    return list(dict.fromkeys([*asked, *(gate.metric for gate in declaration.evaluation.gates)]))


def _holdout_by(declaration: Declaration) -> Literal["time", "random"]:
    by = declaration.evaluation.holdout.by
    if by is not None and (problem := CATALOGS["holdout"].problem(by)):
        raise Unplannable(f"evaluation.holdout.by: {problem}")
    if by == "time" and declaration.data.time is None:
        raise Unplannable("evaluation.holdout is by time, but the declaration names no data.time column")
    return "time" if by == "time" or (by is None and declaration.data.time) else "random"


def _features(declaration: Declaration, known: Mapping[str, Column]) -> list[Column]:
    data = declaration.data
    if data.features:
        if data.target in data.features:
            raise Unplannable(f"target {data.target!r} is among data.features; a model cannot be told its answer")
        if missing := [name for name in data.features if name not in known]:
            raise Unplannable(f"features {', '.join(missing)} are no columns of dataset {data.dataset!r}")
    prepared = declaration.training.preparation
    if missing := [name for name in (prepared.columns if prepared else ()) if name not in known]:
        raise Unplannable(f"columns {', '.join(missing)} of training.preparation are none of dataset {data.dataset!r}")
    for name in data.features or ():
        if known[name].type == "timestamp" and declared_chain(prepared, name, "timestamp") is None:
            raise Unplannable(f"feature {name} is a timestamp; {how_to_use_times(name)}")
    types = {name: column.type for name, column in known.items()}
    task = task_named(declaration.task)
    own = own_columns(declaration, task)
    if missing := [name for name in own or () if name not in known]:
        raise Unplannable(f"columns {', '.join(missing)} of task_options are none of dataset {data.dataset!r}")
    found = [known[name] for name in features_among(declaration, types, [*_keys(declaration)], own)]
    if not found and task.framed_by is None:
        raise Unplannable(f"dataset {data.dataset!r} has no column left to learn from beside {data.target!r}")
    return found


def _left_out(declaration: Declaration, known: Mapping[str, Column], features: Sequence[Column]) -> list[str]:
    """Timestamps beside the time column: no features, and said to be none."""
    data = declaration.data
    meant = {
        data.target,
        data.time,
        data.weight,
        *data.ignore,
        *data.context,
        *data.groups,
        *(each.name for each in features),
        *_keys(declaration),
    }
    if data.features or task_named(declaration.task).framed_by is not None:
        return []
    prepared = declaration.training.preparation
    names = [name for name, column in known.items() if column.type == "timestamp" and name not in meant]
    return [
        f"{name} is a timestamp and no feature; {how_to_use_times(name)}, or put it into data.ignore"
        for name in names
        if declared_chain(prepared, name, "timestamp") is None
    ]


def _keys(declaration: Declaration) -> list[str]:
    """The columns by which the task tells rows apart."""
    return task_named(declaration.task).keys(declaration.task_options or {})


def _text_for_time(name: str) -> str:
    some = ", ".join(f"{form} ({example})" for form, example in list(FORMATS.items())[:6])
    return (
        f"time column {name!r} is text, which is ordered by letters and not by time: declare its type as timestamp "
        f"with a format in the dataset's contract and ingest the data again; formats are ISO 8601, {some} and others"
    )


def _context(declaration: Declaration, features: Sequence[Column], known: Mapping[str, Column]) -> list[Column]:
    """What requests may carry beside the features: declared, a group that is no feature, or a key of the task."""
    data, learned = declaration.data, {column.name for column in features}
    named = dict.fromkeys([*data.context, *data.groups, *_keys(declaration)])
    wanted = [name for name in named if name not in learned]
    if missing := [name for name in wanted if name not in known]:
        raise Unplannable(f"context columns {', '.join(missing)} are no columns of dataset {data.dataset!r}")
    return [known[name] for name in wanted]
