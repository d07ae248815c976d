"""A search for parameters, played by Ray Tune: Optuna proposes, ASHA stops what is behind, each trial is an actor.

Tune's own files lie in a scratch folder and are nobody's memory: what a search knows is what it tells of its trials,
which the trainer keeps and gives to the next attempt. Trials end with the worker that plays the search: Ray ends
actors that are not detached together with the one that made them.
"""

import os
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from threadpoolctl import threadpool_limits

from headrace.code.scratch import scratch
from headrace.contracts.search import dimensions
from headrace.objects import ObjectSettings, sync_object_store
from headrace.trainer.worker.actor import hide_what_is_not_given
from headrace.trainer.worker.asking import Asker
from headrace.trainer.worker.jobs import Failure, Searched, SearchJob, Step, Tell, Tried
from headrace.trainer.worker.memory import at_most
from headrace.trainer.worker.trial import RUNGS, WHOLE, Ground, ground, try_out

VALUE, PART, STEPS, TRIED = "value", "part", "steps", "tried"  # what a trial reports to Tune; `done` is its own word
LOW_MEMORY = "running low on memory"  # the words of Ray's memory monitor about a process that it has killed
_AGAIN = 2  # times that a trial is begun anew whose process was lost, before the search itself is
_ETA = 3  # of the trials at a rung one in so many goes on
_QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no files a trial
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial that failed reports why, and no metric
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # its own snapshots are read by nobody
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
}


def search(job: SearchJob, objects: str, tell: Tell) -> Searched | Failure:
    """Play the trials that are not done, and say which one of all is the best."""
    trials = Trials(job, tell)
    if trials.left:
        _play(job, objects, trials)
    return trials.outcome()


class Trials:
    """All trials of a search: those of earlier attempts, and what becomes of the others."""

    def __init__(self, job: SearchJob, tell: Tell) -> None:
        self._job, self._tell = job, tell
        self._done = {each.number: each for each in job.known if each.state != "running"}
        space = dimensions(job.space, job.train.framework, job.train.estimator)
        self._asker = Asker(
            space,
            job.train.seed,
            greater_is_better=job.greater_is_better,
            parallel=job.parallel,
            known=job.known,
        )
        self.left = deque(number for number in range(1, job.trials + 1) if number not in self._done)
        self._lost: list[str] = []

    def next(self) -> tuple[int, dict[str, Any]] | None:
        """Number and parameters of the next trial; None where there is none, or a process was lost."""
        if not self.left or self._lost:
            return None
        number = self.left.popleft()
        return number, self._asker.ask(number)

    def began(self, number: int, params: Mapping[str, Any]) -> None:
        """A trial has an actor."""
        self._say(Tried(number=number, state="running", params=dict(params)))

    def ended(self, tried: Tried) -> None:
        """A trial was judged, stopped, or has failed; of one that is lost nothing is known, and it is done again."""
        if tried.because == "lost":
            self._lost.append(tried.reason or "its process is gone")
            return
        self._done[tried.number] = tried
        self._asker.tell(tried)
        self._say(tried)

    def outcome(self) -> Searched | Failure:
        """The best trial; a failure where none was judged, or where some are still to be done."""
        if self._lost:
            return Failure(because="lost", reason=f"{len(self._lost)} trials are lost: {self._lost[0]}")
        best = self._best()
        states = Counter(each.state for each in self._done.values())
        if best is None:
            return self._none(list(self._done.values()))
        return Searched(best=best, trials=len(self._done), failed=states["failed"], stopped=states["stopped"])

    def _best(self) -> Tried | None:
        """The least number of those that are as good."""
        sign = -1 if self._job.greater_is_better else 1
        judged = (each for each in self._done.values() if each.state == "completed" and each.value is not None)
        return min(judged, key=lambda tried: (sign * (tried.value or 0.0), tried.number), default=None)

    def _none(self, tried: Sequence[Tried]) -> Failure:
        failed = sorted((each for each in tried if each.state == "failed"), key=lambda each: each.number)
        if not failed:
            return Failure(because="code", reason=f"none of {len(tried)} trials was judged to its end")
        kinds = Counter(each.because or "code" for each in failed)
        first = failed[0]
        told = f"{len(failed)} of {len(tried)} trials failed; trial {first.number}: {first.reason}"
        return Failure(because=kinds.most_common(1)[0][0], reason=told if len(tried) > len(failed) else f"all {told}")

    def _say(self, tried: Tried) -> None:
        metrics = {self._job.metric: tried.value} if tried.value is not None else {}
        done = len(self._done)
        told = {"step": done, "of": self._job.trials, "message": _words(tried, self._job.metric), "metrics": metrics}
        self._tell(Step(stage="searching", **told, tried=tried, urgent=True))


def _words(tried: Tried, metric: str) -> str:
    figure = f": {metric} {tried.value:.4g}" if tried.value is not None else ""
    why = f": {tried.reason}" if tried.reason else ""
    return f"trial {tried.number} {tried.state}{figure}{why}"[:500]


def _play(job: SearchJob, objects: str, trials: Trials) -> None:
    os.environ.update(_QUIET, TUNE_MAX_PENDING_TRIALS_PG=str(job.parallel))
    from ray import tune

    from headrace.trainer.worker.tuning import Proposals, Told

    proposals = Proposals(trials, job.greater_is_better)
    with scratch("headrace-search-") as own:
        tune.run(
            partial(attempt, spec=job.model_dump_json(exclude={"known"}), objects=objects),
            resources_per_trial={"cpu": job.cpus, "gpu": job.gpus},
            search_alg=proposals,
            scheduler=_scheduler(job),
            num_samples=len(trials.left),
            max_concurrent_trials=job.parallel,
            reuse_actors=True,
            trial_dirname_creator=lambda each: str(each.trial_id),
            storage_path=str(own),
            verbose=0,
            callbacks=[Told(proposals)],
            max_failures=_AGAIN,
            raise_on_failed_trial=False,
        )


def _scheduler(job: SearchJob) -> Any:
    from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

    if not job.stop_early:
        return FIFOScheduler()  # type: ignore[no-untyped-call]
    mode = "max" if job.greater_is_better else "min"
    return ASHAScheduler(PART, VALUE, mode, max_t=WHOLE, grace_period=RUNGS[0], reduction_factor=_ETA)


_GROUND: dict[str, Ground] = {}
"""The rows of the search whose trials this process plays; an actor plays many."""


def attempt(config: Mapping[str, Any], *, spec: str, objects: str) -> None:
    """One trial, in an actor of its own: report how far it is, and at the end what came of it."""
    from ray import tune

    hide_what_is_not_given()
    job = SearchJob.model_validate_json(spec)
    threads = max(1, int(job.cpus))

    def reached(part: int, done: int, value: float) -> None:
        tune.report({VALUE: value, PART: part, STEPS: done})

    number, params = config["trial"]["number"], config["trial"]["params"]
    with threadpool_limits(threads), at_most(job.memory_mb << 20):
        tried = try_out(job, number, params, lambda: _ground(job, objects), reached)
    value = {} if tried.value is None else {VALUE: tried.value}
    tune.report({**value, PART: WHOLE, TRIED: tried.model_dump_json()})


def _ground(job: SearchJob, objects: str) -> Ground:
    name = f"{job.train.run}-{job.train.attempt}"
    if name not in _GROUND:
        _GROUND.clear()
        store = sync_object_store(ObjectSettings.model_validate_json(objects))
        _GROUND[name] = ground(job, store, lambda step: None)
    return _GROUND[name]


def stopped(number: int, params: Mapping[str, Any], result: Mapping[str, Any]) -> Tried:
    """What is known of a trial that was stopped on the way."""
    told = f"it was behind at {result[STEPS]} steps of its fit; one in {_ETA} goes on"
    return Tried(
        number=number,
        state="stopped",
        params=dict(params),
        value=result[VALUE],
        reached=result[STEPS],
        reason=told,
        seconds=result.get("time_total_s"),
    )
