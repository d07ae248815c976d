"""The trainer's decisions: what becomes of runs and evaluations, and which run gets a worker next.

Pure: the standard library, contracts and what workers tell. Every step takes a run and answers with what became of it,
the lines of its history and the facts to say; nothing here knows a clock, a database, a broker or Ray.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from pydantic import ValidationError

from headrace.contracts import (
    CodeRef,
    DatasetRef,
    Declaration,
    EvaluationCompleted,
    EvaluationFailed,
    EvaluationMetrics,
    EvaluationRequested,
    Event,
    LearnedRows,
    ObjectFolder,
    TrainingCancelled,
    TrainingCompleted,
    TrainingFailed,
    TrainingProgressed,
    TrainingQueued,
    TrainingStarted,
    Usage,
)
from headrace.trainer.reproduction import Wanted, judged
from headrace.trainer.resources import Size
from headrace.trainer.usage import Rate, usage
from headrace.trainer.worker.jobs import Evaluated, Failure, Outcome, Step, Trained, TrainJob, Used

T = TypeVar("T")

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


class Impossible(ValueError):
    """A step that a run cannot take where it is; the message says why."""


@dataclass(frozen=True)
class Change:
    """One line of a run's history."""

    state: State
    detail: str


@dataclass(frozen=True)
class Decision(Generic[T]):
    """What became of a run or an evaluation, the lines of its history, and what to say about it."""

    after: T
    facts: tuple[Event, ...] = ()
    history: tuple[Change, ...] = ()

    def then(self, step: "Callable[[T], Decision[T]]") -> "Decision[T]":
        """Both: first this, then what is decided upon it."""
        following = step(self.after)
        return Decision(following.after, self.facts + following.facts, self.history + following.history)


@dataclass(frozen=True)
class Run:
    """One run from the wish to its end."""

    run: str
    model: str
    dataset: str
    reason: str
    requested_by: str
    asked_at: datetime
    declared_revision: int
    state: State = State.QUEUED
    pinned: int | None = None
    newer_than: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    cpus: float = 1
    gpus: float = 0
    code: Mapping[str, Any] | None = None
    """The version of a package of code that it was bound to when it was asked for, as a CodeRef."""
    waits_for: str = "capacity"
    waits_detail: str | None = None
    dataset_version: int | None = None
    job: Mapping[str, Any] | None = None
    attempt: int = 0
    begun: bool = False
    said: int = 0
    """Steps of the present attempt that were told."""
    started_at: datetime | None = None
    due_at: datetime | None = None
    ended_at: datetime | None = None
    progress: Mapping[str, Any] | None = None
    outcome: Mapping[str, Any] | None = None
    owner: str | None = None
    """The team that the declaration names."""
    rate: Mapping[str, Any] | None = None
    """What an hour of it costs, since it started; see `usage.Rate`."""
    usage: Mapping[str, Any] | None = None
    """What it took, once it has ended."""
    experiment: str | None = None
    """The experiment that it belongs to; such a run makes no version until it is promoted."""
    promoted_by: str | None = None
    reproduces: Mapping[str, Any] | None = None
    """The version that it is to make again, as `reproduction.Wanted`; its job is then that of the recorded run."""

    def asked(self, waits: str) -> "Decision[Run]":
        """It is there now, and waits for data or for a worker."""
        state = State.WAITING if waits == "data" else State.QUEUED
        return replace(self, state=state, waits_for=waits)._waiting(self.reason)

    def takes(self, arrived: int) -> bool:
        """Whether it will train on this dataset version, or a newer one."""
        return will_train_on(arrived, state=self.state, pinned=self.pinned, newer_than=self.newer_than)

    def released(self, arrived: int) -> "Decision[Run]":
        """A dataset version came: if it waited for that, it waits for a worker now."""
        if self.state is not State.WAITING or not released_by(arrived, pinned=self.pinned, newer_than=self.newer_than):
            return Decision(self)
        free = replace(self, state=State.QUEUED, waits_for="capacity")
        return free._waiting(f"{self.dataset} version {arrived} came")

    def found_room(self, missing: str | None) -> "Decision[Run]":
        """It waits for its turn; or, where `missing` says why, for a node that is large enough."""
        self._must_be("told what it waits for", State.QUEUED)
        here = replace(self, waits_for="resources" if missing else "capacity", waits_detail=missing)
        return here._waiting(missing or "a node with what it asks for is there", missing)

    def taken(self, version: int, now: datetime, timeout: timedelta, rate: Rate | None = None) -> "Run":
        """It is its turn, and it takes a dataset version; all of its attempts together have this long."""
        self._must_be("started", State.QUEUED)
        priced = vars(rate) if rate else None
        return replace(self, dataset_version=version, started_at=now, due_at=now + timeout, rate=priced)

    def started(self, job: TrainJob, dataset: DatasetRef) -> "Decision[Run]":
        """It is resolved into a job, which a worker is given."""
        self._must_be("started", State.QUEUED)
        fact = TrainingStarted(
            run=self.run,
            model=self.model,
            dataset=dataset,
            framework=job.framework,
            estimator=job.estimator,
            params=dict(job.params),
            seed=job.seed,
            experiment=self.experiment,
            code=CodeRef.model_validate(self.code) if self.code else None,
            logs=ObjectFolder(bucket=job.code.object.bucket, prefix=job.logs) if job.code else None,
        )
        running = replace(self.again(job), state=State.RUNNING)
        return Decision(running, (fact,), (Change(State.RUNNING, f"{self.dataset} version {dataset.version}"),))

    def again(self, job: TrainJob) -> "Run":
        """With the next attempt set up: under a new name, with objects of its own."""
        attempt = self.attempt + 1
        told = job.model_copy(update={"attempt": attempt}).model_dump(mode="json")
        return replace(self, attempt=attempt, begun=False, said=0, job=told)

    def heard(
        self, steps: Sequence[Step], outcome: Outcome | None, dataset: DatasetRef, now: datetime
    ) -> "Decision[Run]":
        """A worker told how it goes: each step is told once; what is lost is tried again, a few times."""
        self._must_be("worked on", State.RUNNING)
        new = [step.model_dump(mode="json") for step in steps[self.said :]]
        progressed = replace(self, said=max(self.said, len(steps)), progress=new[-1] if new else self.progress)
        facts = [TrainingProgressed.model_validate({"run": self.run, "model": self.model, **step}) for step in new]
        told = Decision(progressed, tuple(facts))
        if isinstance(outcome, Trained):
            return told.then(lambda run: run.completed(outcome, dataset, now))
        if isinstance(outcome, Failure):
            return told.then(lambda run: run._ended_or_again(outcome, dataset, now))
        return told

    def late(self, dataset: DatasetRef, now: datetime) -> "Decision[Run]":
        """It has failed where it still runs and its time is over."""
        if self.state is not State.RUNNING or self.due_at is None or now < self.due_at:
            return Decision(self)
        reason = f"not done by {self.due_at}; training.timeout gives more time"
        return self.failed(Failure(because="timeout", reason=reason), dataset, now)

    def completed(self, trained: Trained, dataset: DatasetRef, now: datetime) -> "Decision[Run]":
        """It has a model."""
        self._must_be("completed", State.RUNNING)
        done = self._over(State.COMPLETED, now, trained)
        fact = _completed(done, TrainJob.model_validate(self.job), trained, dataset, now)
        return Decision(done, (fact,), (Change(State.COMPLETED, f"{trained.train_rows} rows learned"),))

    def failed(self, failure: Failure, dataset: DatasetRef | None, now: datetime) -> "Decision[Run]":
        """It has none, for a reason that its author can read."""
        self._must_go_on("failed")
        over = self._over(State.FAILED, now, failure)
        told: dict[str, Any] = {"kind": failure.because, "reason": failure.reason, "warnings": list(failure.warnings)}
        told |= {"dataset": dataset, "usage": over.usage}
        fact = TrainingFailed.model_validate({"run": self.run, "model": self.model, **told})
        return Decision(over, (fact,), (Change(State.FAILED, f"{failure.because}: {failure.reason}"),))

    def abandoned(self, reason: str, now: datetime) -> "Decision[Run]":
        """It has failed by a fault of ours; nothing of it is read any more, since that may be what fails."""
        self._must_go_on("given up")
        over = self._over(State.FAILED, now, Failure(because="code", reason=reason))
        fact = TrainingFailed(run=self.run, model=self.model, kind="code", reason=reason, usage=self._usage(now))
        return Decision(over, (fact,), (Change(State.FAILED, reason),))

    def cancelled(self, reason: str, by: str, now: datetime) -> "Decision[Run]":
        """Somebody ends it; whatever works for it is stopped as soon as this is known to be so."""
        self._must_go_on("cancelled")
        fact = TrainingCancelled(run=self.run, model=self.model, by=by, reason=reason, usage=self._usage(now))
        over = self._over(State.CANCELLED, now)
        return Decision(over, (fact,), (Change(State.CANCELLED, f"{reason} ({by})"),))

    def promoted(self, by: str, reason: str, dataset: DatasetRef | None) -> "Decision[Run]":
        """The run of an experiment becomes a version: its completion is said anew, for the registry.

        A run that has not begun has no dataset version.
        """
        if self.state is not State.COMPLETED or self.experiment is None or dataset is None:
            what = "it makes a version by itself" if self.experiment is None else f"it is {self.state}, not completed"
            raise Impossible(f"run {self.run} cannot be promoted: {what}")
        if self.promoted_by is not None:
            raise Impossible(f"run {self.run} cannot be promoted: {self.promoted_by} had it promoted already")
        if self.reproduces is not None:
            raise Impossible(f"run {self.run} cannot be promoted: it makes again what is a version already")
        after, trained = replace(self, promoted_by=by), Trained.model_validate(self.outcome)
        fact = _completed(after, TrainJob.model_validate(self.job), trained, dataset, self.ended_at or self.asked_at)
        return Decision(after, (fact,), (Change(State.COMPLETED, f"promoted: {reason} ({by})"),))

    def _ended_or_again(self, failure: Failure, dataset: DatasetRef, now: datetime) -> "Decision[Run]":
        if failure.because == "lost" and after_loss(self.attempt) == "resume":
            return Decision(self.again(TrainJob.model_validate(self.job)))
        tries = f" ({self.attempt} attempts)" if failure.because == "lost" else ""
        return self.failed(failure.model_copy(update={"reason": failure.reason + tries}), dataset, now)

    def _waiting(self, why: str, detail: str | None = None) -> "Decision[Run]":
        told = {"run": self.run, "model": self.model, "dataset": self.dataset, "reason": self.reason}
        told |= {"waits_for": self.waits_for, "requested_by": self.requested_by}
        told |= {"experiment": self.experiment} if self.experiment else {}
        fact = TrainingQueued.model_validate(told | ({"detail": detail} if detail else {}))
        return Decision(self, (fact,), (Change(self.state, why),))

    def _over(self, state: State, now: datetime, outcome: Trained | Failure | None = None) -> "Run":
        usage = self._usage(now, outcome.used if outcome else None).model_dump(mode="json", exclude_none=True)
        told = outcome.model_dump(mode="json") if outcome else self.outcome
        return replace(self, state=state, outcome=told, ended_at=now, usage=usage)

    def _usage(self, now: datetime, used: Used | None = None) -> Usage:
        return usage(
            asked_at=self.asked_at,
            started_at=self.started_at,
            ended_at=now,
            attempts=self.attempt,
            cpus=self.cpus,
            gpus=self.gpus,
            used=used,
            rate=Rate(**self.rate) if self.rate else None,
        )

    def _must_be(self, step: str, state: State) -> None:
        if self.state is not state:
            raise Impossible(f"run {self.run} cannot be {step}: it is {self.state}, not {state}")

    def _must_go_on(self, step: str) -> None:
        if self.state.ended:
            raise Impossible(f"run {self.run} cannot be {step}: it is {self.state} already")


def _completed(run: Run, job: TrainJob, trained: Trained, dataset: DatasetRef, now: datetime) -> TrainingCompleted:
    started = run.started_at or now
    return TrainingCompleted(
        run=run.run,
        model=run.model,
        dataset=dataset,
        artifact=trained.artifact,
        signature=trained.signature,
        framework=job.framework,
        estimator=job.estimator,
        params=job.params,
        preparation=list(trained.preparation) or None,
        seed=job.seed,
        code=CodeRef.model_validate(run.code) if run.code else None,
        holdout=trained.holdout,
        metrics=trained.metrics,
        train_rows=trained.train_rows,
        unlabelled_rows=trained.unlabelled_rows,
        learned=LearnedRows(**trained.learned.model_dump()),
        warnings=list(trained.warnings),
        code_version=trained.code_version,
        packages=trained.packages,
        python=trained.python,
        reference=trained.reference,
        features=list(job.features),
        target=job.target,
        declared_revision=run.declared_revision,
        started_at=started,
        seconds=(now - started).total_seconds(),
        reason=run.reason,
        requested_by=run.requested_by,
        usage=Usage.model_validate(run.usage),
        experiment=None if run.promoted_by else run.experiment,
        promoted_by=run.promoted_by,
        reproduction=judged(Wanted.model_validate(run.reproduces), job, trained).fact if run.reproduces else None,
    )


@dataclass(frozen=True)
class Evaluation:
    """A comparison that the registry has asked for."""

    evaluation: str
    model: str
    request: Mapping[str, Any]
    state: State = State.QUEUED
    attempt: int = 0
    begun: bool = False
    outcome: Mapping[str, Any] | None = None

    def started(self) -> "Decision[Evaluation]":
        """It has a worker."""
        if self.state is not State.QUEUED:
            raise Impossible(f"evaluation {self.evaluation} cannot be started: it is {self.state}")
        return Decision(replace(self, state=State.RUNNING, attempt=1))

    def heard(self, outcome: Outcome | None) -> "Decision[Evaluation]":
        """A worker told how it went; what is lost is tried again, a few times."""
        if self.state is not State.RUNNING:
            raise Impossible(f"evaluation {self.evaluation} cannot be worked on: it is {self.state}")
        if isinstance(outcome, Evaluated):
            return self.completed(outcome)
        if isinstance(outcome, Failure) and outcome.because == "lost" and after_loss(self.attempt) == "resume":
            return Decision(replace(self, attempt=self.attempt + 1, begun=False))
        return self.failed(outcome.reason) if isinstance(outcome, Failure) else Decision(self)

    def completed(self, found: Evaluated) -> "Decision[Evaluation]":
        """It has its numbers."""
        asked = EvaluationRequested.model_validate(self.request)
        fact = EvaluationCompleted(
            evaluation=self.evaluation,
            model=self.model,
            candidate=asked.candidate.version,
            champion=asked.champion.version if asked.champion else None,
            dataset=asked.dataset,
            rows=found.rows,
            metrics=EvaluationMetrics(candidate=found.candidate, champion=found.champion),
            comparisons=list(found.comparisons),
            compared_rows=found.compared_rows,
            baselines=list(found.baselines),
            incomparable=found.incomparable,
        )
        return Decision(self._over(State.COMPLETED, found.model_dump(mode="json")), (fact,))

    def failed(self, reason: str) -> "Decision[Evaluation]":
        """It cannot be done."""
        over = self._over(State.FAILED, {"reason": reason})
        candidate = EvaluationRequested.model_validate(self.request).candidate.version
        fact = EvaluationFailed(evaluation=self.evaluation, model=self.model, candidate=candidate, reason=reason)
        return Decision(over, (fact,))

    def abandoned(self, reason: str) -> "Decision[Evaluation]":
        """It has failed by a fault of ours; it is told as far as it can be read."""
        try:
            return self.failed(reason)
        except ValidationError:
            return Decision(self._over(State.FAILED, {"reason": reason}))

    def _over(self, state: State, outcome: Mapping[str, Any]) -> "Evaluation":
        if self.state.ended:
            raise Impossible(f"evaluation {self.evaluation} cannot end: it is {self.state} already")
        return replace(self, state=state, outcome=outcome)


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


def _turn(recent: Recent | None, queued: Queued) -> tuple[float, float]:
    last = recent.last_started.timestamp() if recent and recent.last_started else 0.0
    return (last, queued.asked_at.timestamp())
