"""The trainer's decisions: what becomes of runs.

Pure: the standard library, contracts and what workers tell. Every step takes a run and answers with what became of it,
the lines of its history and the facts to say; nothing here knows a clock, a database, a broker or Ray.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Generic, TypeVar

from headrace.contracts import (
    CheckpointRef,
    CodeRef,
    DatasetRef,
    Event,
    LearnedRows,
    ObjectFolder,
    SearchResult,
    TrainingCancelled,
    TrainingCheckpointed,
    TrainingCompleted,
    TrainingFailed,
    TrainingProgressed,
    TrainingQueued,
    TrainingStarted,
    Usage,
)
from headrace.trainer.reproduction import Wanted, judged
from headrace.trainer.scheduling import after_loss, checkpoints_until, released_by, will_train_on
from headrace.trainer.usage import Rate, usage
from headrace.trainer.worker.jobs import (
    Begun,
    Checkpointed,
    Failure,
    Outcome,
    Step,
    Trained,
    TrainJob,
    Used,
)

T = TypeVar("T")


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
    search: Mapping[str, Any] | None = None
    """What is searched before it trains, as `search.Wish`; with `best` once that is known."""
    trial_of: str | None = None
    """Of a trial: the run that searches. A trial is a run to look at, and does nothing by itself."""
    trial: int | None = None
    losses: int = 0
    """Workers that it lost since it made a checkpoint that goes beyond all earlier ones."""
    resumed_from: Mapping[str, Any] | None = None
    """The checkpoint that the present attempt began with, as a CheckpointRef."""
    checkpoint: Mapping[str, Any] | None = None
    """Its last checkpoint, as a CheckpointRef."""
    checkpoints_until: datetime | None = None
    """Since it has ended: when its checkpoints are removed; None once they are, and where it could make none."""
    priority: int = 0
    custom: Mapping[str, float] = field(default_factory=dict)
    """What it asks for beside processors, by the names that nodes of the cluster give it."""
    yields: Mapping[str, Any] | None = None
    """The run that it was asked to make room for, as `giving_way.Yielding`."""
    preemptions: int = 0
    """How often it has given its place to another run."""
    queued_at: datetime | None = None
    """Since when it waits again; None where it waits for the first time."""
    left_s: float | None = None
    """Seconds of its timeout that are left, while it waits again."""
    paused_s: float = 0
    """Seconds that it has waited again, in which nothing was set aside for it."""

    def asked(self, waits: str) -> "Decision[Run]":
        """It is there now, and waits for data or for a worker."""
        state = State.WAITING if waits == "data" else State.QUEUED
        return replace(self, state=state, waits_for=waits)._waiting(self.reason)

    @property
    def bound_to(self) -> int | None:
        """The dataset version that it takes whatever comes: one that was asked for, or that it has begun with."""
        return self.pinned if self.pinned is not None else self.dataset_version

    def takes(self, arrived: int) -> bool:
        """Whether it will train on this dataset version, or a newer one."""
        queued = self.state is State.QUEUED
        return will_train_on(arrived, queued=queued, pinned=self.bound_to, newer_than=self.newer_than)

    def released(self, arrived: int) -> "Decision[Run]":
        """A dataset version came: if it waited for that, it waits for a worker now."""
        if self.state is not State.WAITING or not released_by(arrived, pinned=self.pinned, newer_than=self.newer_than):
            return Decision(self)
        free = replace(self, state=State.QUEUED, waits_for="capacity")
        return free._waiting(f"{self.dataset} version {arrived} came")

    def found_room(self, missing: str | None, waits_for: str = "resources") -> "Decision[Run]":
        """It waits for its turn; or, where `missing` says why, for a node that is large enough, or for a quota."""
        self._must_be("told what it waits for", State.QUEUED)
        here = replace(self, waits_for=waits_for if missing else "capacity", waits_detail=missing)
        return here._waiting(missing or "what it asks for is there", missing)

    def taken(self, version: int, now: datetime, timeout: timedelta, rate: Rate | None = None) -> "Run":
        """It is its turn, and it takes a dataset version; all of its attempts together have this long."""
        self._must_be("started", State.QUEUED)
        priced = vars(rate) if rate else None
        return replace(self, dataset_version=version, started_at=now, due_at=now + timeout, rate=priced)

    def started(self, job: TrainJob, dataset: DatasetRef) -> "Decision[Run]":
        """It is resolved into a job, which a worker is given."""
        self._must_be("started", State.QUEUED)
        running = replace(self.again(job), state=State.RUNNING)
        lines = (Change(State.RUNNING, f"{self.dataset} version {dataset.version}"),)
        return Decision(running, (self.start_of(job, dataset),), lines)

    def start_of(self, job: TrainJob, dataset: DatasetRef) -> TrainingStarted:
        """What is said when an attempt begins."""
        return TrainingStarted(
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

    def again(self, job: TrainJob) -> "Run":
        """With the next attempt set up: under a new name, with objects of its own."""
        attempt = self.attempt + 1
        told = job.model_copy(update={"attempt": attempt}).model_dump(mode="json")
        return replace(self, attempt=attempt, begun=False, said=0, job=told, resumed_from=None, yields=None)

    def heard(
        self, steps: Sequence[Step], outcome: Outcome | None, dataset: DatasetRef, now: datetime, first: int = 0
    ) -> "Decision[Run]":
        """A worker told how it goes: each step is told once; what is lost is tried again, a few times.

        `first` is how many steps there were before these.
        """
        self._must_be("worked on", State.RUNNING)
        told: Decision[Run] = Decision(replace(self, said=max(self.said, first + len(steps))))
        for step in steps[max(0, self.said - first) :]:
            told = told.then(partial(Run._stepped, step=step, dataset=dataset))
        if isinstance(outcome, Trained):
            return told.then(lambda run: run.completed(outcome, dataset, now))
        if isinstance(outcome, Failure):
            return told.then(lambda run: run._ended_or_again(outcome, dataset, now))
        return told

    @property
    def searches(self) -> bool:
        """Whether its present attempt tries parameters, and does not train yet."""
        return self.search is not None and "result" not in self.search

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
        if self.trial_of is not None:
            raise Impossible(f"run {self.run} is a trial, which ends with its search: cancel run {self.trial_of}")
        self._must_go_on("cancelled")
        fact = TrainingCancelled(run=self.run, model=self.model, by=by, reason=reason, usage=self._usage(now))
        over = self._over(State.CANCELLED, now)
        return Decision(over, (fact,), (Change(State.CANCELLED, f"{reason} ({by})"),))

    def promoted(self, by: str, reason: str, dataset: DatasetRef | None) -> "Decision[Run]":
        """The run of an experiment becomes a version: its completion is said anew, for the registry.

        A run that has not begun has no dataset version.
        """
        if self.trial_of is not None:
            how = f"a run of an experiment with its parameters can: `headrace run {self.model} --param NAME=VALUE`"
            raise Impossible(f"run {self.run} cannot be promoted: it is a trial, and learned a part of the rows; {how}")
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

    def _stepped(self, step: Step, dataset: DatasetRef) -> "Decision[Run]":
        """A worker told one thing: a checkpoint, from where it goes on, or how far it is."""
        if step.checkpointed is not None:
            return self._checkpointed(step.checkpointed)
        further = replace(self, progress=step.progress)
        if step.begun is not None:
            return further._goes_on(step.begun, dataset, step.message or "")
        return Decision(further, (TrainingProgressed(run=self.run, model=self.model, **step.progress),))

    def _checkpointed(self, told: Checkpointed) -> "Decision[Run]":
        """A later attempt goes on from there. Only what goes beyond the last one makes up for losses."""
        made = told.checkpoint
        beyond = self.checkpoint is None or made.step > self.checkpoint["step"]
        kept = replace(self, checkpoint=_told(made), losses=0 if beyond else self.losses)
        attempt, removed = int(made.name.partition("-")[0]), list(told.removed) or None
        same = {"run": self.run, "model": self.model}
        return Decision(kept, (TrainingCheckpointed(**same, attempt=attempt, checkpoint=made, removed=removed),))

    def _goes_on(self, begun: Begun, dataset: DatasetRef, detail: str) -> "Decision[Run]":
        """An attempt after a loss has begun, from a checkpoint where there was one.

        Those that their worker was lost before telling of are told of now.
        """
        found, last = begun.resumed_from, self.checkpoint["name"] if self.checkpoint else ""
        for each in (*begun.earlier, *([found] if found else [])):
            if each.name > last:
                told = self._checkpointed(Checkpointed(checkpoint=each))
                return told.then(lambda run: run._goes_on(begun, dataset, detail))
        fact = self.start_of(TrainJob.model_validate(self.job), dataset).model_copy(
            update={"attempt": self.attempt, "resumed_from": found, "warnings": list(begun.warnings) or None}
        )
        lines = tuple(Change(State.RUNNING, text) for text in (*begun.warnings, detail))
        return Decision(replace(self, resumed_from=_told(found) if found else None), (fact,), lines)

    def _ended_or_again(self, failure: Failure, dataset: DatasetRef, now: datetime) -> "Decision[Run]":
        losses = self.losses + 1
        if failure.because == "lost" and after_loss(losses, self.attempt - self.preemptions) == "resume":
            lost = replace(self, losses=losses).again(TrainJob.model_validate(self.job))
            return Decision(lost, (), (Change(State.RUNNING, f"attempt {self.attempt} is lost: {failure.reason}"),))
        tries = f" ({self.attempt} attempts)" if failure.because == "lost" else ""
        return self.failed(failure.model_copy(update={"reason": failure.reason + tries}), dataset, now)

    def _waiting(self, why: str, detail: str | None = None) -> "Decision[Run]":
        told: dict[str, Any] = {"run": self.run, "model": self.model, "dataset": self.dataset, "reason": self.reason}
        told |= {"waits_for": self.waits_for, "requested_by": self.requested_by}
        told |= {"experiment": self.experiment} if self.experiment else {}
        told |= {"priority": self.priority} if self.priority else {}
        fact = TrainingQueued.model_validate(told | ({"detail": detail} if detail else {}))
        return Decision(self, (fact,), (Change(self.state, why),))

    def _over(self, state: State, now: datetime, outcome: Trained | Failure | None = None) -> "Run":
        usage = self._usage(now, outcome.used if outcome else None).model_dump(mode="json", exclude_none=True)
        told = outcome.model_dump(mode="json") if outcome else self.outcome
        until = checkpoints_until(self.job, now, completed=state is State.COMPLETED)
        return replace(self, state=state, outcome=told, ended_at=now, usage=usage, checkpoints_until=until, yields=None)

    def checkpoints_removed(self) -> "Decision[Run]":
        """Nothing of them is left."""
        return Decision(replace(self, checkpoints_until=None))

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
            paused_s=self._paused(now),
        )

    def _paused(self, now: datetime) -> float:
        """Seconds since its start in which it waited again, those of now included."""
        waits = self.state is State.QUEUED and self.queued_at is not None
        return self.paused_s + ((now - self.queued_at).total_seconds() if waits and self.queued_at else 0.0)

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
        search=SearchResult(**run.search["result"]) if run.search and "result" in run.search else None,
        reproduction=judged(Wanted.model_validate(run.reproduces), job, trained).fact if run.reproduces else None,
    )


def _told(checkpoint: CheckpointRef) -> dict[str, Any]:
    return checkpoint.model_dump(mode="json", exclude_none=True)
