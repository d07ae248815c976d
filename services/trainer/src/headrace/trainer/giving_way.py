"""A run gives its place to another one: asked for a checkpoint, ended, queued again, taken up again. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from headrace.contracts import CheckpointRef, DatasetRef, TrainingPreempted, TrainingProgressed
from headrace.trainer import trials
from headrace.trainer.domain import Change, Decision, Impossible, Run, State
from headrace.trainer.worker.jobs import Outcome, Step, Trained, TrainJob


@dataclass(frozen=True)
class Yielding:
    """The run that another one is to make room for, and until when it may make a checkpoint."""

    run: str
    model: str
    priority: int
    until: datetime

    @property
    def whom(self) -> str:
        """As people read it."""
        return f"run {self.run} of {self.model}, of priority {self.priority}"

    @property
    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "until": self.until.isoformat()}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Yielding":
        """From JSON."""
        same = {name: told[name] for name in ("run", "model", "priority")}
        return cls(**same, until=datetime.fromisoformat(told["until"]))


def heard(
    run: Run, steps: Sequence[Step], outcome: Outcome | None, dataset: DatasetRef, now: datetime, first: int = 0
) -> Decision[Run]:
    """As `trials.heard`; a run that has told of the checkpoint that it was asked for gives way, however it ended.

    One that has its model keeps that.
    """
    if outcome is None or isinstance(outcome, Trained):
        return trials.heard(run, steps, outcome, dataset, now, first).then(partial(yielded, now=now))
    told = trials.heard(run, steps, None, dataset, now, first).then(partial(yielded, now=now))
    if told.after.state is not State.RUNNING:
        return told
    return told.then(lambda after: trials.heard(after, [], outcome, dataset, now, after.said))


def asked_to_yield(run: Run, to: Yielding) -> Decision[Run]:
    """A run of higher priority needs its place: it is to make a checkpoint until then."""
    _must_be(run, "asked to give way", State.RUNNING)
    told = f"asked to make a checkpoint until {to.until:%H:%M:%S}, and to give its place to {to.whom}"
    progress: dict[str, Any] = {"stage": "fitting", "step": 0, "of": 1, **(run.progress or {}), "message": told}
    fact = TrainingProgressed(run=run.run, model=run.model, **progress)
    after = run.checkpoint["name"] if run.checkpoint else ""
    return Decision(replace(run, yields={**to.told, "after": after}), (fact,), (Change(State.RUNNING, told),))


def spared(run: Run) -> Decision[Run]:
    """Nobody needs its place any more."""
    return Decision(replace(run, yields=None), (), (Change(run.state, "it keeps its place after all"),))


def must_yield(run: Run, now: datetime) -> bool:
    """Whether the checkpoint that it was asked for is kept, or the time for it is over."""
    if run.state is not State.RUNNING or run.yields is None or run.checkpoint is None:
        return False
    return _in_time(run) or now >= Yielding.of(run.yields).until


def yielded(run: Run, now: datetime) -> Decision[Run]:
    """It gives its place up, where it must."""
    if not must_yield(run, now) or run.yields is None or run.checkpoint is None:
        return Decision(run)
    to, left = Yielding.of(run.yields), max(0.0, (run.due_at - now).total_seconds()) if run.due_at else None
    fact = TrainingPreempted(
        run=run.run,
        model=run.model,
        attempt=run.attempt,
        priority=run.priority,
        for_run=to.run,
        for_model=to.model,
        for_priority=to.priority,
        checkpoint=CheckpointRef.model_validate(run.checkpoint),
        in_time=_in_time(run),
    )
    why = f"gave its place to {to.whom}; it goes on from the checkpoint of step {run.checkpoint['step']}"
    waits = replace(run, state=State.QUEUED, queued_at=now, left_s=left, yields=None, begun=False)
    again = replace(waits, preemptions=run.preemptions + 1)
    return Decision(again, (fact,)).then(lambda waiting: waiting.found_room(why, "capacity"))


def taken_up(run: Run, now: datetime) -> Decision[Run]:
    """It is its turn again: the next attempt goes on from its checkpoint, with what is left of its time."""
    _must_be(run, "taken up", State.QUEUED)
    waited = max(0.0, (now - (run.queued_at or now)).total_seconds())
    due = now + timedelta(seconds=run.left_s) if run.left_s is not None else run.due_at
    on = replace(run, state=State.RUNNING, due_at=due, left_s=None, paused_s=run.paused_s + waited)
    again = on.again(TrainJob.model_validate(run.job))
    return Decision(again, (), (Change(State.RUNNING, f"attempt {again.attempt}: it is its turn again"),))


def _in_time(run: Run) -> bool:
    """Whether it has made a checkpoint since it was asked for one."""
    return bool(run.checkpoint and run.yields and run.checkpoint["name"] != run.yields["after"])


def _must_be(run: Run, step: str, state: State) -> None:
    if run.state is not state:
        raise Impossible(f"run {run.run} cannot be {step}: it is {run.state}, not {state}")
