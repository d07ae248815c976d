"""Columns that a declaration names, against each other and against those of the dataset, where it is known."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.contracts.cells import how_to_declare_times
from headrace.contracts.detectors import Kind
from headrace.contracts.errors import Place, Problem, hint, shown
from headrace.contracts.estimators import columns_named, labels_named
from headrace.contracts.generated.models import Contract, Declaration
from headrace.contracts.installed import Installed, KnownColumn, TaskInfo
from headrace.contracts.labels import same_label
from headrace.contracts.options import option_columns
from headrace.contracts.preparation import (
    TEXT,
    TIMESTAMP,
    Wanted,
    declared_chain,
    is_left_out,
    typed_problems,
    with_many_values,
)

MANY = 100  # different texts of a column above which its values are hardly categories
FEWEST_ROWS = 20  # of which it means something that most values differ
FEW = 2  # different whole numbers up to which drift takes a column for categories


@dataclass(frozen=True)
class KnownDataset:
    """What is known of a dataset: the type of each column, and what its rows hold."""

    name: str
    types: Mapping[str, str]
    version: int | None = None
    distinct: Mapping[str, int | None] = field(default_factory=dict)
    """Different values of a column; None for more than are counted; a column of which nothing is known is not here."""
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The values of a column as text, where they are few."""
    rows: int | None = None

    def column(self, name: str) -> KnownColumn:
        """What is known of one column, be it there or not."""
        counted, values = name in self.distinct, self.values.get(name, ())
        return KnownColumn(name, self.types.get(name), counted, self.distinct.get(name), values, self.rows)

    def more_than(self, column: str, count: int) -> bool:
        """Whether a column is known to hold more different values than so many."""
        return self.column(column).more_than(count)


def promised(declared: Declaration) -> KnownDataset | None:
    """The dataset as the declaration's own contract promises it."""
    contract = declared.data.contract
    if not isinstance(contract, Contract) or contract.columns is None:
        return None
    return KnownDataset(declared.data.dataset, {rule.name: rule.type for rule in contract.columns})


def named(declared: Declaration, catalog: Installed) -> Iterator[tuple[Place, str]]:
    """Every column that a declaration names, with its place."""
    yield from option_columns(declared.task_options or {}, catalog.tasks[declared.task])
    data = declared.data
    yield ("data", "target"), data.target
    if data.time is not None:
        yield ("data", "time"), data.time
    if data.weight is not None:
        yield ("data", "weight"), data.weight
    for name in ("features", "ignore", "groups", "context"):
        for position, column in enumerate(getattr(data, name) or []):
            yield ("data", name, position), column
    training = declared.training
    for column in training.preparation.columns if training.preparation else ():
        yield ("training", "preparation", "columns", column), column
    for place, column in columns_named(training.framework, training.estimator or "", training.params):
        yield ("training", "params", *place), column
    for column in training.monotone or {}:
        yield ("training", "monotone", column), column


def role_problems(declared: Declaration) -> Iterator[Problem]:
    """Columns with two roles that exclude each other, or named twice for one."""
    data = declared.data
    roles: Mapping[str, Sequence[str]] = {
        "features": data.features or [],
        "ignore": data.ignore,
        "groups": data.groups,
        "context": data.context,
    }
    if data.features == []:
        yield Problem(("data", "features"), "is empty; name a column, or leave it out to take all that are left")
    if data.time == data.target:
        yield Problem(
            ("data", "time"), f"{data.target!r} is the target; the rows cannot be ordered by what is predicted"
        )
    if data.weight is not None and data.weight in (data.target, data.time, *(data.features or ())):
        text = f"{data.weight!r} is target, time or feature, too; a weight says how much a row counts, and nothing else"
        yield Problem(("data", "weight"), text)
    for name, columns in roles.items():
        yield from _role(name, columns, data.target)
    yield from _both("features", "ignore", roles, "it is either learned from or not")
    yield from _both("features", "context", roles, "context is never learned from; name it in data.groups to watch it")


def key_problems(declared: Declaration, catalog: Installed) -> Iterator[Problem]:
    """Columns that the task tells rows apart by, and that have a role which excludes that."""
    for place, column in _keys(declared, catalog):
        if column == declared.data.target:
            yield Problem(place, f"{column!r} is the target; a request does not carry what is predicted")
        if column in (declared.data.features or []):
            yield Problem(place, f"{column!r} is in data.features, too; it tells rows apart and is never learned from")


def order_problems(declared: Declaration, catalog: Installed) -> Iterator[Problem]:
    """Columns that the task's options name for something else than keys, and that have another role."""
    task, given, data = catalog.tasks[declared.task], declared.task_options or {}, declared.data
    ordered = dict(option_columns(given, task, "time"))
    for place, column in ordered.items():
        if column != data.time:
            yield Problem(place, f"{column!r} is not data.time, which is {data.time!r}; one column orders the rows")
        if declared.evaluation.holdout.by == "random":
            text = f"{task.name} is judged on what comes later; say `by: time`, or leave it out"
            yield Problem(("evaluation", "holdout", "by"), text)
    inputs = list(option_columns(given, task, "input"))
    if inputs and data.features is not None:
        yield Problem(("data", "features"), f"the inputs of task {task.name} name their columns; leave it out")
    for place, column in (*option_columns(given, task, "column"), *inputs, *ordered.items()):
        if column == data.target:
            yield Problem(place, f"{column!r} is the target")
        if column in data.ignore:
            yield Problem(place, f"{column!r} is in data.ignore, too; it is either used or not")


def _keys(declared: Declaration, catalog: Installed) -> Iterator[tuple[Place, str]]:
    yield from option_columns(declared.task_options or {}, catalog.tasks[declared.task], "key")


def _role(name: str, columns: Sequence[str], target: str) -> Iterator[Problem]:
    for position, column in enumerate(columns):
        place = ("data", name, position)
        if not column:
            yield Problem(place, "a column's name is empty")
        if column == target:
            yield Problem(place, f"{column!r} is the target; {_TARGET[name]}")
        if column in columns[:position]:
            yield Problem(place, f"{column!r} is there a second time")


_TARGET = {
    "features": "a model that learns from it knows the answer",
    "ignore": "it is no feature anyway; leave it out here",
    "groups": "fairness compares groups of rows by another column",
    "context": "a request does not carry what is predicted",
}


def _both(one: str, other: str, roles: Mapping[str, Sequence[str]], why: str) -> Iterator[Problem]:
    for position, column in enumerate(roles[other]):
        if column in roles[one]:
            yield Problem(("data", other, position), f"{column!r} is in data.{one}, too; {why}")


def column_problems(declared: Declaration, dataset: KnownDataset, catalog: Installed) -> Iterator[Problem]:
    """What does not fit the dataset: unknown columns, and types that cannot have the role."""
    for place, column in named(declared, catalog):
        if column not in dataset.types:
            yield Problem(
                place, f"dataset {dataset.name!r} has no column {shown(column)}; {hint(column, dataset.types)}"
            )
    yield from _target_problems(declared, dataset, catalog)
    yield from _time_problems(declared, dataset, catalog)
    yield from _weight_problems(declared, dataset)
    yield from typed_problems(declared.training.preparation, dataset.types)
    for position, column in enumerate(declared.data.features or []):
        if dataset.types.get(column) == TIMESTAMP and _chain(declared, dataset, column) is None:
            yield Problem(("data", "features", position), f"{column!r} is a timestamp; {how_to_use_times(column)}")
    makes = catalog.tasks[declared.task].framed_by is not None
    if declared.data.features is None and not makes and not features_of(declared, dataset, catalog):
        yield Problem(("data",), f"dataset {dataset.name!r} has no column left to learn from")
    yield from _feature_params(declared, dataset, catalog)
    yield from _label_params(declared, dataset)
    yield from _detector_problems(declared, dataset, catalog)


def features_of(declared: Declaration, dataset: KnownDataset, catalog: Installed) -> list[str]:
    """The columns that the model learns from, as the trainer takes them."""
    keys = [column for _, column in _keys(declared, catalog)]
    return features_among(declared, dataset.types, keys, own_columns(declared, catalog.tasks[declared.task]))


def own_columns(declared: Declaration, task: TaskInfo) -> list[str] | None:
    """The columns that the options of a task name as features, where they do or it makes the others; else None."""
    given = declared.task_options or {}
    if task.framed_by is not None:
        return [column for _, column in option_columns(given, task, "column")]
    return list(dict.fromkeys(column for _, column in option_columns(given, task, "input"))) or None


def features_among(
    declared: Declaration, types: Mapping[str, str], keys: Sequence[str] = (), only: Sequence[str] | None = None
) -> list[str]:
    """The features among columns with their types: those named, else all that are left and can be learned from.

    A timestamp can where it is prepared, the column of time only where its own name is; what is dropped cannot,
    nor can the keys of the task. Of a task that makes features, the columns of `only` are learned where none is named.
    """
    data, prepared = declared.data, declared.training.preparation
    own = prepared.columns if prepared else {}
    left_out = {data.target, data.weight, *data.ignore, *data.context, *keys, *({data.time} - own.keys())}
    names = data.features or [name for name in types if name not in left_out]
    if only is not None:
        names = list(dict.fromkeys([*only, *(data.features or [])]))
    chains = {name: declared_chain(prepared, name, types[name]) for name in names if name in types}
    prepared_at_all = {name for name, chain in chains.items() if chain is not None or types[name] != TIMESTAMP}
    return [name for name, chain in chains.items() if name in prepared_at_all and not is_left_out(chain)]


def how_to_use_times(column: str) -> str:
    """What to do with a column of times that nothing is said of."""
    return (
        f"say what matters of it, as in `training: {{preparation: {{columns: {{{column}: [date-parts]}}}}}}`, or give "
        "that (hour, weekday) as columns"
    )


def _chain(declared: Declaration, dataset: KnownDataset, column: str) -> tuple[Wanted, ...] | None:
    return declared_chain(declared.training.preparation, column, dataset.types[column])


def _target_problems(declared: Declaration, dataset: KnownDataset, catalog: Installed) -> Iterator[Problem]:
    target, place = dataset.column(declared.data.target), ("data", "target")
    task, positive = catalog.tasks[declared.task], declared.data.positive
    if target.type == "timestamp":
        yield Problem(place, f"{target.name!r} is a timestamp; a model predicts a label or a number")
    elif target.type and (text := task.target_problem(target)):
        yield Problem(place, text + catalog.suggestion(target))
    elif positive is not None and (text := task.positive_problem(positive, target)):
        yield Problem(("data", "positive"), text)


def _time_problems(declared: Declaration, dataset: KnownDataset, catalog: Installed) -> Iterator[Problem]:
    time = declared.data.time
    kind = dataset.types.get(time) if time else None
    if kind in ("string", "boolean"):
        text = f"{time!r} holds {'text' if kind == 'string' else 'true and false'}, which has no order in time"
        more = f"; {how_to_declare_times(time or '')}" if kind == "string" else ""
        yield Problem(("data", "time"), text + more)
    for place, column in option_columns(declared.task_options or {}, catalog.tasks[declared.task], "time"):
        if dataset.types.get(column, TIMESTAMP) != TIMESTAMP and kind not in ("string", "boolean"):
            yield Problem(place, f"{column!r} holds numbers; the steps of {declared.task} are counted on a calendar")


def _weight_problems(declared: Declaration, dataset: KnownDataset) -> Iterator[Problem]:
    weight = declared.data.weight
    if weight is not None and dataset.types.get(weight, "number") not in ("number", "integer"):
        yield Problem(("data", "weight"), f"{weight!r} holds no numbers; a weight is a number from 0 on")
    for column in declared.training.monotone or {}:
        if dataset.types.get(column) == "string":
            text = f"{column!r} is text, which has no order that an answer could rise with"
            yield Problem(("training", "monotone", column), text)


def _feature_params(declared: Declaration, dataset: KnownDataset, catalog: Installed) -> Iterator[Problem]:
    features = features_of(declared, dataset, catalog)

    def dropped(place: Place, column: str) -> bool:
        return "preparation" in place and is_left_out(_chain(declared, dataset, column))

    for place, column in named(declared, catalog):
        if place[0] == "training" and column in dataset.types and column not in features and not dropped(place, column):
            yield Problem(place, f"{column!r} is no feature; {hint(column, features)}")


def _label_params(declared: Declaration, dataset: KnownDataset) -> Iterator[Problem]:
    """Weights of labels that the target does not have would have no effect."""
    training, labels = declared.training, dataset.values.get(declared.data.target)
    found = labels_named(training.framework, training.estimator or "", training.params)
    named_here = [(("params", *place), label) for place, label in found]
    if isinstance(training.class_weight, dict):
        named_here += [(("class_weight", label), label) for label in training.class_weight]
    for place, label in named_here:
        if labels and not any(same_label(label, each) for each in labels):
            text = f"{shown(label)} is no label of {declared.data.target!r}; its labels are {', '.join(sorted(labels))}"
            yield Problem(("training", *place), text)


def _detector_problems(declared: Declaration, dataset: KnownDataset, catalog: Installed) -> Iterator[Problem]:
    """One method for every column must fit every column that is watched."""
    method = declared.monitoring.drift.method
    if method is None or catalog.detector_problem(method) is not None:
        return
    unfit: dict[Kind, list[str]] = {}
    for column in features_of(declared, dataset, catalog):
        kind = kind_of(dataset, column)
        if kind and catalog.detector_problem(method, kind=kind) is not None:
            unfit.setdefault(kind, []).append(column)
    for kind, columns in unfit.items():
        told = f"{catalog.detector_problem(method, kind=kind)} ({', '.join(columns)})"
        other = "; say drift.numeric and drift.categorical instead, each with its method"
        yield Problem(("monitoring", "drift", "method"), told + other)


def kind_of(dataset: KnownDataset, column: str) -> Kind | None:
    """What drift looks at: numbers, or categories; None where an integer column may be either."""
    kind = dataset.types[column]
    if kind in ("string", "boolean"):
        return "categorical"
    if kind == "integer" and not dataset.more_than(column, FEW):
        return "categorical" if column in dataset.distinct else None
    return "numeric"


def column_warnings(declared: Declaration, dataset: KnownDataset, catalog: Installed) -> Iterator[str]:
    """What is legal, but may surprise."""
    features = features_of(declared, dataset, catalog)
    for column in _idle_times(declared, dataset) if catalog.tasks[declared.task].framed_by is None else ():
        yield f"data: {column!r} is a timestamp and no feature; {how_to_use_times(column)}, or name it in data.ignore"
    for column in features:
        if dataset.types[column] == TEXT and with_many_values(_chain(declared, dataset, column)):
            found = dataset.column(column)
            text = many_values(column, found.distinct, found.rows) if found.counted else None
            yield from [f"data: {text}"] if text else []
    yield from catalog.tasks[declared.task].surprises(dataset.column(declared.data.target))


def _idle_times(declared: Declaration, dataset: KnownDataset) -> list[str]:
    """Timestamps that could be features, of which the declaration says nothing at all."""
    data = declared.data
    if data.features is not None:
        return []
    meant = {data.target, data.time, data.weight, *data.ignore, *data.context}
    times = [name for name, kind in dataset.types.items() if kind == TIMESTAMP and name not in meant]
    return [name for name in times if _chain(declared, dataset, name) is None]


def many_values(column: str, distinct: int | None, rows: int | None) -> str | None:
    """What is said of a text column whose values are taken as categories, though they hardly are; None if they are.

    `distinct` is None for more values than are counted.
    """
    most_differ = bool(rows and distinct and rows >= FEWEST_ROWS and distinct > rows / 2)
    if not (distinct is None or distinct > MANY or most_differ):
        return None
    count = "very many" if distinct is None else distinct
    several = f" in {rows} rows" if rows and distinct else ""
    return (
        f"{column!r} is text with {count} different values{several}, which are taken as categories; name it in "
        "data.ignore where it only identifies a row, or say in training.preparation.columns what to do with it: "
        f"`{column}: [hash]` for a code, `{column}: [tf-idf]` for sentences, `{column}: [target-mean]` for a place or "
        "a product"
    )
