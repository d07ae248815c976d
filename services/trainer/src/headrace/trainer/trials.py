"""What becomes of a run that searches before it trains: its trials are told, and the best one is trained. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from headrace.contracts import DatasetRef, TrainingProgressed, Trial, derive_id
from headrace.trainer.domain import Change, Decision, Impossible, Run, State
from headrace.trainer.worker.jobs import Outcome, Searched, Step, TrainJob, Tried


def heard(
    run: Run, steps: Sequence[Step], outcome: Outcome | None, dataset: DatasetRef, now: datetime, first: int = 0
) -> Decision[Run]:
    """As `Run.heard`, of any run: what is said of trials, and of a search that is over, besides."""
    told = Decision(run)
    for number, step in enumerate(steps[max(0, run.said - first) :], start=max(run.said, first) + 1):
        told = told.then(partial(_stepped, step=step, number=number, dataset=dataset, now=now))
    if isinstance(outcome, Searched):
        return told.then(lambda run: chose(run, outcome, dataset))
    return told.then(lambda run: run.heard((), outcome, dataset, now))


def _stepped(run: Run, step: Step, number: int, dataset: DatasetRef, now: datetime) -> Decision[Run]:
    if step.tried is None:
        return run.heard((step,), None, dataset, now, number - 1)
    told = _tried(run, step, step.tried)
    return replace(told, after=replace(told.after, said=number))


def chose(run: Run, found: Searched, dataset: DatasetRef) -> Decision[Run]:
    """The search is over: the parameters of its best trial are trained next, as those of any run."""
    if run.search is None:
        raise Impossible(f"run {run.run} searches for nothing")
    counted = {"trials": found.trials, "failed": found.failed, "stopped": found.stopped}
    result = {**counted, "best": found.best.number, "metric": run.search["metric"], "value": found.best.value}
    job = TrainJob.model_validate(run.job)
    chosen = job.model_copy(update={"params": {**job.params, **found.best.params}})
    kept = [*job.warnings, *found.warnings]
    after = replace(run.again(chosen.model_copy(update={"warnings": kept})), losses=0)
    after = replace(after, search={**run.search, "result": result})
    fact = after.start_of(chosen, dataset).model_copy(update={"attempt": after.attempt})
    told = f"trial {found.best.number} of {found.trials} is the best: {run.search['metric']} {found.best.value:.6g}"
    return Decision(after, (fact,), (Change(State.RUNNING, told),))


def _tried(run: Run, step: Step, tried: Tried) -> Decision[Run]:
    """A trial began or ended. What has ended is not done again, and so makes up for losses."""
    search = run.search or {}
    told = {"run": trial_id(run.run, tried.number), "number": tried.number, "of": search.get("trials", step.of)}
    told |= {"state": tried.state, "params": tried.params, "metric": search.get("metric", "")}
    more = {
        "value": tried.value,
        "reached": tried.reached,
        "seconds": tried.seconds,
        "kind": tried.because,
        "reason": tried.reason,
    }
    told |= {name: value for name, value in more.items() if value is not None}
    losses = run.losses if tried.state == "running" else 0
    progress = {**step.progress, "metrics": step.metrics}
    fact = TrainingProgressed.model_validate({"run": run.run, "model": run.model, **progress, "trial": told})
    return Decision(replace(run, progress=step.progress, losses=losses), (fact,))


def as_run(run: Run, told: Trial, now: datetime) -> Run:
    """One of its trials as a run of its own, for whoever lists and compares runs."""
    ended = None if told.state == "running" else now
    job = {**(run.job or {}), "run": told.run, "params": {**(run.job or {}).get("params", {}), **told.params}}
    outcome: dict[str, Any] = {"kind": "tried", "state": told.state}
    outcome |= {"metrics": {told.metric: told.value}} if told.value is not None else {}
    more = {"because": told.kind, "reason": told.reason, "reached": told.reached, "seconds": told.seconds}
    outcome |= {name: value for name, value in more.items() if value is not None}
    return Run(
        run=told.run,
        model=run.model,
        dataset=run.dataset,
        reason=f"trial {told.number} of {told.of} of run {run.run}",
        requested_by=run.requested_by,
        asked_at=now,
        declared_revision=run.declared_revision,
        state=_AS_RUNS[told.state],
        params=told.params,
        seed=job.get("seed", run.seed),
        cpus=run.cpus,
        gpus=run.gpus,
        dataset_version=run.dataset_version,
        job=job,
        started_at=now,
        ended_at=ended,
        outcome=outcome if ended else None,
        owner=run.owner,
        experiment=run.experiment,
        trial_of=run.run,
        trial=told.number,
    )


def trial_id(run: str, number: int) -> str:
    """The id of a trial of a run: the same whenever it is told of."""
    return derive_id(run, TrainingProgressed.TYPE, "trial", number)


_AS_RUNS: Mapping[str, State] = {
    "running": State.RUNNING,
    "completed": State.COMPLETED,
    "stopped": State.CANCELLED,
    "failed": State.FAILED,
    "cancelled": State.CANCELLED,
}
"""The states of trials, as those of runs."""
