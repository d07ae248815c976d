"""The trainer's decisions: what is trained, with what, in which order, and what a lost or late run means.

Pure: the standard library, contracts and tasks only.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from headrace.contracts import Column, Declaration
from headrace.contracts.catalogs import CATALOGS
from headrace.contracts.cells import FORMATS
from headrace.tasks import task_named
from headrace.trainer.resources import Size

MOST_ATTEMPTS = 3  # a run that lost its worker this often takes workers down by itself


class State(StrEnum):
    """Where a run is; the last three are for ever."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing can happen any more."""
        return self in (State.COMPLETED, State.FAILED, State.CANCELLED)


class Unplannable(ValueError):
    """The declaration and the data do not fit together; the message says what would."""


@dataclass(frozen=True)
class Queued:
    """A run that waits for a worker."""

    run: str
    model: str
    asked_at: datetime
    size: Size = field(default_factory=Size)


@dataclass(frozen=True)
class Recent:
    """When a model last got a worker, and how many it has."""

    running: int = 0
    last_started: datetime | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that decides a run, resolved from declaration, request and dataset version."""

    features: Sequence[Column]
    context: Sequence[Column]
    target: str
    task: str
    positive: int | float | str | bool | None
    time: str | None
    framework: str
    estimator: str
    params: Mapping[str, Any]
    seed: int
    metrics: Sequence[str]
    by: Literal["time", "random"]
    fraction: float
    warnings: Sequence[str] = ()


def waits_for(
    *, wants: str, newest: int | None, pinned: int | None, trained: int | None
) -> Literal["capacity", "data"]:
    """What a requested run waits for first.

    A run of `newer` data waits until a version comes that the last completed run has not seen; a run of a version
    that was never ingested, or of a dataset without any, waits for it.
    """
    if pinned is not None:
        return "capacity" if newest is not None and pinned <= newest else "data"
    if newest is None or (wants == "newer" and trained is not None and newest <= trained):
        return "data"
    return "capacity"


def released_by(arrived: int, *, pinned: int | None, newer_than: int | None) -> bool:
    """Whether the arrival of a dataset version ends a run's wait for data."""
    if pinned is not None:
        return arrived >= pinned
    return newer_than is None or arrived > newer_than


def will_train_on(arrived: int, *, state: State, pinned: int | None, newer_than: int | None) -> bool:
    """Whether a run that has not started will take this dataset version, or a newer one."""
    if pinned is not None:
        return pinned == arrived
    return state is State.QUEUED or released_by(arrived, pinned=pinned, newer_than=newer_than)


def trains_on_new_data(declaration: Declaration, taken: bool) -> bool:
    """Whether new data start a run: where the declaration asks, and no pending run takes them anyway."""
    return "new-data" in declaration.training.on and not taken


def next_runs(
    queue: Iterable[Queued], recent: Mapping[str, Recent], free: int, has_room: Callable[[Size], bool] = lambda _: True
) -> list[str]:
    """Which runs get the free workers: models with the fewest running first, then those that waited longest.

    One model that asks for a hundred runs cannot keep another from its first. A run that finds no room is passed over.
    """
    waiting = sorted(queue, key=lambda q: (q.asked_at, q.run))
    running = Counter({model: seen.running for model, seen in recent.items()})
    chosen: list[str] = []
    while waiting and len(chosen) < free:
        best = min(waiting, key=lambda q: (running[q.model], *_turn(recent.get(q.model), q)))
        waiting.remove(best)
        if has_room(best.size):
            running[best.model] += 1
            chosen.append(best.run)
    return chosen


def after_loss(attempt: int) -> Literal["resume", "fail"]:
    """A run whose worker is gone starts over elsewhere, but not for ever."""
    return "resume" if attempt < MOST_ATTEMPTS else "fail"


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
    for role, name in (("target", data.target), ("time column", data.time)):
        if name is not None and name not in known:
            raise Unplannable(f"{role} {name!r} is no column of dataset {data.dataset!r}: {', '.join(known)}")
    features = _features(declaration, known)
    if data.time is not None and known[data.time].type == "string":
        raise Unplannable(_text_for_time(data.time))
    return Plan(
        features=features,
        context=_context(declaration, features, known),
        target=data.target,
        task=declaration.task,
        positive=data.positive,
        time=data.time,
        framework=training.framework,
        estimator=training.estimator or estimator,
        params={**training.params, **params},
        seed=training.seed if seed is None else seed,
        metrics=metrics_of(declaration),
        by=_holdout_by(declaration),
        fraction=declaration.evaluation.holdout.fraction,
        warnings=_left_out(declaration, known),
    )


def metrics_of(declaration: Declaration) -> list[str]:
    """The metrics of a run: those declared (else the usual of the task), and those that a gate asks about."""
    asked = declaration.evaluation.metrics or task_named(declaration.task).usual
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
        return [known[name] for name in data.features]
    left_out = {data.target, data.time, *data.ignore, *data.context}
    found = [c for name, c in known.items() if name not in left_out and c.type != "timestamp"]
    if not found:
        raise Unplannable(f"dataset {data.dataset!r} has no column left to learn from beside {data.target!r}")
    return found


def _left_out(declaration: Declaration, known: Mapping[str, Column]) -> list[str]:
    """Timestamps beside the time column: no features, and said to be none."""
    data = declaration.data
    meant = {data.target, data.time, *data.ignore, *data.context, *data.groups, *(data.features or ())}
    names = [name for name, column in known.items() if column.type == "timestamp" and name not in meant]
    return [
        f"{name} is a timestamp and no feature; give what matters of it (hour, weekday) as columns, or put it into "
        "data.ignore"
        for name in names
    ]


def _text_for_time(name: str) -> str:
    some = ", ".join(f"{form} ({example})" for form, example in list(FORMATS.items())[:6])
    return (
        f"time column {name!r} is text, which is ordered by letters and not by time: declare its type as timestamp "
        f"with a format in the dataset's contract and ingest the data again; formats are ISO 8601, {some} and others"
    )


def _context(declaration: Declaration, features: Sequence[Column], known: Mapping[str, Column]) -> list[Column]:
    """What requests may carry beside the features: declared, or a group that is no feature."""
    data, learned = declaration.data, {column.name for column in features}
    wanted = [name for name in dict.fromkeys([*data.context, *data.groups]) if name not in learned]
    if missing := [name for name in wanted if name not in known]:
        raise Unplannable(f"context columns {', '.join(missing)} are no columns of dataset {data.dataset!r}")
    return [known[name] for name in wanted]


def _turn(recent: Recent | None, queued: Queued) -> tuple[float, float]:
    last = recent.last_started.timestamp() if recent and recent.last_started else 0.0
    return (last, queued.asked_at.timestamp())
