"""What declarations are judged by: tasks, metrics, strategies, detectors and channels, as far as they need them.

This package is below those that have them; `headrace.tasks` hands them to `declaration.examine` as one value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from headrace.contracts.catalogs import Catalog, name_problems
from headrace.contracts.detectors import DetectorInfo, Kind, detector_problem
from headrace.contracts.errors import Place, Problem
from headrace.contracts.estimators import EstimatorKind
from headrace.contracts.labels import Label
from headrace.contracts.options import FIELD, Option, Options, tasks_with_options


@dataclass(frozen=True)
class MetricInfo:
    """What everybody needs to know about a metric; headrace.tasks computes its value."""

    name: str
    of: frozenset[str]
    """The kinds of score that it can judge; it is a metric of every task whose models give one of them."""
    greater_is_better: bool
    about: str
    low: float | None = 0.0
    """The smallest value that it can have; None where there is none."""
    high: float | None = 1.0
    """The largest one."""

    def improvement(self, new: float, old: float) -> float:
        """How much better `new` is than `old`, in the metric's own unit; negative where it is worse."""
        return new - old if self.greater_is_better else old - new


@dataclass(frozen=True)
class KnownColumn:
    """What is known of one column of a dataset."""

    name: str
    type: str | None = None
    counted: bool = False
    """Whether its different values were counted."""
    distinct: int | None = None
    """Different values, where they were counted; None for more than are counted."""
    values: Sequence[str] = ()
    """The values as text, where they are few."""
    rows: int | None = None
    """Rows of the dataset, where that is known."""

    def more_than(self, count: int) -> bool:
        """Whether it is known to hold more different values than so many."""
        return self.counted and (self.distinct is None or self.distinct > count)

    def at_most(self, count: int) -> bool:
        """Whether it is known to hold at most so many different values."""
        return self.counted and self.distinct is not None and self.distinct <= count


class ChannelInfo(Protocol):
    """A way to tell somebody of an alert, as declarations are judged by it; headrace.channels delivers."""

    @property
    def about(self) -> str:
        """What it is, in a few words."""
        ...

    def place_problem(self, to: str) -> str | None:
        """Why a declared place cannot be reached by it; None where it can."""
        ...


class TaskInfo(Protocol):
    """A task, as declarations are judged by it; headrace.tasks.Task says what each part means."""

    @property
    def name(self) -> str:
        """The name in a declaration."""
        ...

    @property
    def about(self) -> str:
        """What is predicted, in a few words."""
        ...

    @property
    def estimators(self) -> EstimatorKind:
        """The kind of estimator that fits it; every framework has one of it."""
        ...

    @property
    def kinds(self) -> Sequence[EstimatorKind]:
        """Every kind that fits it, the usual ones first."""
        ...

    @property
    def learned_as(self) -> str:
        """The task that its estimator learns: itself, but where it shapes the rows first."""
        ...

    @property
    def framed_by(self) -> str | None:
        """The runtime that shapes rows for its estimator; None where it learns them as they are."""
        ...

    @property
    def scores(self) -> frozenset[str]:
        """The kinds of score that its models give."""
        ...

    @property
    def usual(self) -> Sequence[str]:
        """The metrics where none are declared."""
        ...

    @property
    def options(self) -> Sequence[Option]:
        """What it can be told beside its name."""
        ...

    def option_problems(self, options: Options) -> Iterator[tuple[Place | str, str]]:
        """What is wrong with good values of options that do not go together: the option's name or place, and why."""
        ...

    @property
    def trivial(self) -> bool:
        """Whether there are answers that need no model, with which one can be compared."""
        ...

    @property
    def own_metrics(self) -> bool:
        """Whether its metrics are functions that a declaration brings, which nobody but the trainer runs."""
        ...

    def metrics_in(self, options: Mapping[str, Any]) -> Sequence[MetricInfo]:
        """The metrics that options declare, in their order; of a document that was not checked those that are whole."""
        ...

    def metrics_package(self, options: Options) -> str | None:
        """The package that has its metrics, where these are functions and options name one."""
        ...

    @property
    def guessed(self) -> bool:
        """Whether it may be meant where nothing names it."""
        ...

    def takes(self, column: KnownColumn) -> bool:
        """Whether a target calls for this task."""
        ...

    def doubt(self, column: KnownColumn) -> str | None:
        """Why it was taken, and when another one is right."""
        ...

    def target_problem(self, column: KnownColumn) -> str | None:
        """Why a column cannot be the target."""
        ...

    def positive_problem(self, positive: Label, column: KnownColumn | None) -> str | None:
        """Why a label cannot be the positive one."""
        ...

    def surprises(self, column: KnownColumn) -> Iterator[str]:
        """What is legal in a target, but may surprise."""
        ...


DECLARED: Mapping[tuple[str, ...], str] = {
    ("task",): "task",
    ("training", "search", "metric"): "metric",
    ("evaluation", "metrics", "*"): "metric",
    ("evaluation", "gates", "*", "metric"): "metric",
    ("monitoring", "performance", "metric"): "metric",
    ("monitoring", "tell", "*", "channel"): "channel",
    ("serving", "strategy"): "strategy",
    ("monitoring", "drift", "method"): "detector",
    ("monitoring", "drift", "numeric", "method"): "detector",
    ("monitoring", "drift", "categorical", "method"): "detector",
}
"""Where a declaration holds names of what is installed."""


@dataclass(frozen=True)
class Installed:
    """What is installed, by name, as far as declarations name it; the first task is taken where nothing tells."""

    tasks: Mapping[str, TaskInfo] = field(default_factory=dict)
    metrics: Mapping[str, MetricInfo] = field(default_factory=dict)
    detectors: Mapping[str, DetectorInfo] = field(default_factory=dict)
    channels: Mapping[str, ChannelInfo] = field(default_factory=dict)
    strategies: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> Mapping[str, Catalog]:
        """The catalogues of names, by the word that schemas write in `x-names`."""
        return {
            "task": Catalog("task", lambda: self.tasks),
            "metric": Catalog("metric", lambda: self.metrics),
            "detector": Catalog("drift detector", lambda: self.detectors),
            "channel": Catalog("channel", lambda: self.channels),
            "strategy": Catalog("rollout strategy", lambda: self.strategies),
        }

    def name_problems(self, document: Any) -> Iterator[Problem]:
        """Each of these names in a declaration as it was written that is not known."""
        return name_problems(document, DECLARED, self.names)

    def detector_problem(self, method: str, *, kind: Kind | None = None, limit: float | None = None) -> str | None:
        """Why a declared detector is no good, and what would be; None where it is good."""
        return detector_problem(self.detectors, method, kind=kind, limit=limit)

    def with_own_metrics(self, document: Mapping[str, Any]) -> "Installed":
        """With the metrics that a declaration brings; one that is called as ours are does not take their place."""
        options = document.get(FIELD)
        if not isinstance(options, Mapping):
            return self
        own = {metric.name: metric for task in self.tasks.values() for metric in task.metrics_in(options)}
        return replace(self, metrics={**own, **self.metrics}) if own else self

    def usual_metrics(self, task: str, options: Options) -> Sequence[str]:
        """The metrics of a task where none are declared: all that its options bring, or its usual ones."""
        return [metric.name for metric in self.tasks[task].metrics_in(options)] or self.tasks[task].usual

    def metrics_of(self, task: str) -> list[str]:
        """The metrics that a task allows."""
        return [name for name, metric in self.metrics.items() if metric.of & self.tasks[task].scores]

    def tasks_with(self, metric: str) -> list[str]:
        """The tasks that allow a metric."""
        return [name for name, task in self.tasks.items() if self.metrics[metric].of & task.scores]

    def fitted_by(self, kind: EstimatorKind | None, options: Options) -> list[TaskInfo]:
        """The tasks that may be meant where none is named: those with the declared options, else those to guess among.

        A kind of estimator must fit them; where it is not known, any may be meant.
        """
        fitting = [task for task in self.tasks.values() if kind in (None, *task.kinds)]
        having = tasks_with_options(options, self.tasks) if options else []
        return [task for task in fitting if task.name in having] or [task for task in fitting if task.guessed]

    def suggestion(self, column: KnownColumn) -> str:
        """The end of a sentence about a target that a task cannot have: which one can."""
        found = next((name for name, task in self.tasks.items() if task.takes(column)), None)
        return f"; say `task: {found}`" if found else ""
