"""Columns that a declaration names, against each other and against those of the dataset, where it is known."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.contracts.cells import how_to_declare_times
from headrace.contracts.detectors import Kind, detector_problem
from headrace.contracts.errors import Place, Problem, hint, shown
from headrace.contracts.estimators import ESTIMATORS, Task, columns_named, labels_named
from headrace.contracts.generated.models import Contract, Declaration

MANY = 100  # different texts of a column above which its values are hardly categories
LABELS = 2  # that a classifier here tells apart


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

    def more_than(self, column: str, count: int) -> bool:
        """Whether a column is known to hold more different values than so many."""
        if column not in self.distinct:
            return False
        found = self.distinct[column]
        return found is None or found > count


def promised(declared: Declaration) -> KnownDataset | None:
    """The dataset as the declaration's own contract promises it."""
    contract = declared.data.contract
    if not isinstance(contract, Contract) or contract.columns is None:
        return None
    return KnownDataset(declared.data.dataset, {rule.name: rule.type for rule in contract.columns})


def task_for(target: str, dataset: KnownDataset) -> Task | None:
    """The task that a target's values call for; None where they do not tell."""
    kind = dataset.types.get(target)
    if kind in ("string", "boolean"):
        return "classification"
    if kind not in ("integer", "number") or (kind == "integer" and target not in dataset.distinct):
        return None
    few = target in dataset.distinct and not dataset.more_than(target, LABELS)
    return "classification" if few else "regression"


def named(declared: Declaration) -> Iterator[tuple[Place, str]]:
    """Every column that a declaration names, with its place."""
    data = declared.data
    yield ("data", "target"), data.target
    if data.time is not None:
        yield ("data", "time"), data.time
    for name in ("features", "ignore", "groups", "context"):
        for position, column in enumerate(getattr(data, name) or []):
            yield ("data", name, position), column
    training = declared.training
    estimator = training.estimator or ESTIMATORS.get((training.framework, declared.task), "")
    for place, column in columns_named(training.framework, estimator, training.params):
        yield ("training", "params", *place), column


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
    for name, columns in roles.items():
        yield from _role(name, columns, data.target)
    yield from _both("features", "ignore", roles, "it is either learned from or not")
    yield from _both("features", "context", roles, "context is never learned from; name it in data.groups to watch it")


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


def column_problems(declared: Declaration, dataset: KnownDataset) -> Iterator[Problem]:
    """What does not fit the dataset: unknown columns, and types that cannot have the role."""
    for place, column in named(declared):
        if column not in dataset.types:
            yield Problem(
                place, f"dataset {dataset.name!r} has no column {shown(column)}; {hint(column, dataset.types)}"
            )
    yield from _target_problems(declared, dataset)
    yield from _time_problems(declared, dataset)
    for position, column in enumerate(declared.data.features or []):
        if dataset.types.get(column) == "timestamp":
            text = f"{column!r} is a timestamp; give what matters of it (hour, weekday) as columns"
            yield Problem(("data", "features", position), text)
    if declared.data.features is None and not features_of(declared, dataset):
        yield Problem(("data",), f"dataset {dataset.name!r} has no column left to learn from")
    yield from _feature_params(declared, dataset)
    yield from _label_params(declared, dataset)
    yield from _detector_problems(declared, dataset)


def features_of(declared: Declaration, dataset: KnownDataset) -> list[str]:
    """The columns that the model learns from, as the trainer takes them."""
    data = declared.data
    if data.features:
        return [name for name in data.features if name in dataset.types]
    left_out = {data.target, data.time, *data.ignore, *data.context}
    return [name for name, kind in dataset.types.items() if name not in left_out and kind != "timestamp"]


def _target_problems(declared: Declaration, dataset: KnownDataset) -> Iterator[Problem]:
    target, kind = declared.data.target, dataset.types.get(declared.data.target)
    place = ("data", "target")
    if kind == "timestamp":
        yield Problem(place, f"{target!r} is a timestamp; a model predicts a label or a number")
    elif declared.task == "regression" and kind in ("string", "boolean"):
        what = "text" if kind == "string" else "true and false"
        yield Problem(place, f"{target!r} holds {what}; say `task: classification`, or name a column of numbers")
    elif declared.task == "classification" and kind and dataset.more_than(target, LABELS):
        yield Problem(place, _too_many(target, kind, dataset))
    elif declared.task == "classification":
        yield from _positive_problems(declared, dataset)


def _too_many(target: str, kind: str, dataset: KnownDataset) -> str:
    count = dataset.distinct[target] or "more different values than are counted"
    told = f"{target!r} holds {count} different values; a classifier here tells {LABELS} labels apart"
    return f"{told}; say `task: regression`" if kind in ("integer", "number") else told


def _positive_problems(declared: Declaration, dataset: KnownDataset) -> Iterator[Problem]:
    positive, values = declared.data.positive, dataset.values.get(declared.data.target)
    if positive is None or not values:
        return
    if not any(same_label(positive, each) for each in values):
        text = f"{shown(positive)} is no label of {declared.data.target!r}; its labels are {', '.join(sorted(values))}"
        yield Problem(("data", "positive"), text)


def same_label(label: object, text: str) -> bool:
    """Whether a declared label is the one that a column's text stands for: 1, 1.0, true and their texts."""
    written = str(label).lower() if isinstance(label, bool) else str(label)
    if written == text or (isinstance(label, bool) and text in ("01"[label], str(label))):
        return True
    try:
        return not isinstance(label, bool) and float(written) == float(text)
    except ValueError:
        return False


def _time_problems(declared: Declaration, dataset: KnownDataset) -> Iterator[Problem]:
    time = declared.data.time
    kind = dataset.types.get(time) if time else None
    if kind in ("string", "boolean"):
        text = f"{time!r} holds {'text' if kind == 'string' else 'true and false'}, which has no order in time"
        more = f"; {how_to_declare_times(time or '')}" if kind == "string" else ""
        yield Problem(("data", "time"), text + more)


def _feature_params(declared: Declaration, dataset: KnownDataset) -> Iterator[Problem]:
    features = features_of(declared, dataset)
    for place, column in named(declared):
        if place[0] == "training" and column in dataset.types and column not in features:
            yield Problem(place, f"{column!r} is no feature; {hint(column, features)}")


def _label_params(declared: Declaration, dataset: KnownDataset) -> Iterator[Problem]:
    """Weights of labels that the target does not have would have no effect."""
    training, labels = declared.training, dataset.values.get(declared.data.target)
    estimator = training.estimator or ESTIMATORS.get((training.framework, declared.task), "")
    for place, label in labels_named(training.framework, estimator, training.params):
        if labels and not any(same_label(label, each) for each in labels):
            text = f"{shown(label)} is no label of {declared.data.target!r}; its labels are {', '.join(sorted(labels))}"
            yield Problem(("training", "params", *place), text)


def _detector_problems(declared: Declaration, dataset: KnownDataset) -> Iterator[Problem]:
    """One method for every column must fit every column that is watched."""
    method = declared.monitoring.drift.method
    if method is None or detector_problem(method) is not None:
        return
    unfit: dict[Kind, list[str]] = {}
    for column in features_of(declared, dataset):
        kind = kind_of(dataset, column)
        if kind and detector_problem(method, kind=kind) is not None:
            unfit.setdefault(kind, []).append(column)
    for kind, columns in unfit.items():
        told = f"{detector_problem(method, kind=kind)} ({', '.join(columns)})"
        other = "; say drift.numeric and drift.categorical instead, each with its method"
        yield Problem(("monitoring", "drift", "method"), told + other)


def kind_of(dataset: KnownDataset, column: str) -> Kind | None:
    """What drift looks at: numbers, or categories; None where an integer column may be either."""
    kind = dataset.types[column]
    if kind in ("string", "boolean"):
        return "categorical"
    if kind == "integer" and not dataset.more_than(column, LABELS):
        return "categorical" if column in dataset.distinct else None
    return "numeric"


def column_warnings(declared: Declaration, dataset: KnownDataset) -> Iterator[str]:
    """What is legal, but may surprise."""
    features = features_of(declared, dataset)
    for column, kind in dataset.types.items():
        named_here = {declared.data.target, declared.data.time, *declared.data.ignore, *declared.data.context}
        if kind == "timestamp" and column not in named_here and declared.data.features is None:
            yield (
                f"data: {column!r} is a timestamp and no feature; give what matters of it (hour, weekday) as "
                "columns, or name it in data.ignore"
            )
    for column in features:
        if dataset.types[column] == "string" and dataset.more_than(column, MANY):
            count = dataset.distinct[column] or "very many"
            yield (
                f"data: {column!r} is text with {count} different values, which are taken as categories; "
                "name it in data.ignore where it only identifies a row"
            )
    target = declared.data.target
    if declared.task == "classification" and dataset.distinct.get(target) == 1:
        yield f"data.target: {target!r} holds one value so far; a classifier needs two labels"
