"""The loop between the queue and the workers: start what waits, hear how it goes, say how it ended.

Every change of a run is one transaction with the events about it. Workers follow: a job that no running row asks for
is let go, one that a row asks for and no worker has is begun. So a crash between the two leaves nothing to repair.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import structlog
from sqlalchemy import event
from sqlalchemy.orm.exc import StaleDataError

from headrace.bus import Handler, Work
from headrace.chassis import Runtime
from headrace.contracts import TrainingProgressed
from headrace.faults import point
from headrace.trainer import ends
from headrace.trainer.compute import ComputeAway, Lost, RayCompute
from headrace.trainer.domain import State, after_loss
from headrace.trainer.settings import TrainerSettings
from headrace.trainer.starting import again, chosen, evaluation_job, start
from headrace.trainer.tables import Evaluation, Run, evaluations_in, runs_in
from headrace.trainer.work.jobs import Evaluated, EvaluateJob, Failure, Report, Step, Trained, TrainJob

log = structlog.get_logger(__name__)

Said = Mapping[str, Report | Lost]
_GONE = "the worker is gone"


class Dispatcher:
    """Keeps workers and rows in step."""

    def __init__(self, compute: RayCompute, settings: TrainerSettings) -> None:
        self._compute = compute
        self._settings = settings
        self._changed = asyncio.Event()

    def waking(self, handler: Handler) -> Handler:
        """A handler after whose commit the loop looks at once."""

        async def handle(fact: Any, work: Work) -> None:
            await handler(fact, work)
            self.wake_after(work)

        return handle

    def wake_after(self, work: Work) -> None:
        """Look at once when this work is committed."""
        event.listen(work.session.sync_session, "after_commit", lambda _: self._changed.set(), once=True)

    async def run(self, runtime: Runtime) -> None:
        """Until the service stops."""
        while True:
            busy = await self._look(runtime)
            pause = self._settings.poll_every if busy else self._settings.look_every
            with suppress(TimeoutError):
                # not wait_for: Python 3.11's can swallow a cancellation, and the service would never stop
                async with asyncio.timeout(pause.total_seconds()):
                    await self._changed.wait()
            self._changed.clear()

    async def _look(self, runtime: Runtime) -> bool:
        try:
            said: Said | None = await self._compute.jobs()
        except ComputeAway as away:
            log.debug("compute_away", reason=str(away))
            said = None
        try:
            return await self.tick(runtime, said)
        except StaleDataError:  # a handler changed the same run in the same moment: look again
            return True
        except ComputeAway as away:
            log.warning("compute_away", reason=str(away))
            return True

    async def tick(self, runtime: Runtime, said: Said | None) -> bool:
        """One look at everything; answers whether anything runs. `said` is None while Ray is away."""
        async with runtime.session() as session:
            runs = await runs_in(session, State.RUNNING)
            evaluations = await evaluations_in(session, State.RUNNING)
        for run in runs:
            await self._settle_run(runtime, run, said)
        if said is None:
            return bool(runs or evaluations)
        for evaluation in evaluations:
            await self._settle_evaluation(runtime, evaluation, said)
        await self._start_runs(runtime)
        await self._start_evaluations(runtime)
        return await self._bring_in_step(runtime, said)

    async def _settle_run(self, runtime: Runtime, seen: Run, said: Said | None) -> None:
        """Say what is new of a run: progress, its end, or that it is lost or late."""
        late = seen.due_at is not None and runtime.clock() >= seen.due_at
        report = (said or {}).get(seen.job_name) or _lost(seen, said)
        if not late and (report is None or not _news(seen, report)):
            return
        async with work_for(runtime, seen) as work:
            run = await work.session.get_one(Run, seen.run)
            if run.state != State.RUNNING or run.attempt != seen.attempt:
                return
            if report is not None:
                await _hear(run, report, work)
            if late and run.state == State.RUNNING:
                await ends.fail(run, "timeout", f"not done by {run.due_at}; training.timeout gives more time", work)

    async def _settle_evaluation(self, runtime: Runtime, seen: Evaluation, said: Said) -> None:
        report = said.get(seen.job_name) or _lost(seen, said)
        if report is None or (isinstance(report, Report) and report.outcome is None):
            return
        async with work_for(runtime, seen) as work:
            row = await work.session.get_one(Evaluation, seen.evaluation)
            if row.state == State.RUNNING and row.attempt == seen.attempt:
                _conclude(row, report, work)

    async def _start_runs(self, runtime: Runtime) -> None:
        async with runtime.session() as session:
            free = self._settings.capacity - len(await runs_in(session, State.RUNNING))
            ids = await chosen(session, free)
            waiting = [await session.get_one(Run, run) for run in ids]
        for seen in waiting:
            async with work_for(runtime, seen) as work:
                run = await work.session.get_one(Run, seen.run)
                if run.state == State.QUEUED:
                    await start(run, work, self._settings.models_bucket)

    async def _start_evaluations(self, runtime: Runtime) -> None:
        """Evaluations have a place of their own beside the runs: they are short, and releases wait for them."""
        async with runtime.session() as session:
            running = await evaluations_in(session, State.RUNNING)
            waiting = await evaluations_in(session, State.QUEUED)
        for seen in waiting[: max(0, self._settings.evaluations - len(running))]:
            async with work_for(runtime, seen) as work:
                row = await work.session.get_one(Evaluation, seen.evaluation)
                row.state, row.attempt = State.RUNNING, 1
                if await evaluation_job(row, work.session) is None:
                    dataset = row.request["dataset"]
                    ends.fail_evaluation(row, f"dataset {dataset['name']} has no version {dataset['version']}", work)

    async def _bring_in_step(self, runtime: Runtime, said: Said) -> bool:
        """Begin what rows ask for, let go what none does."""
        async with runtime.session() as session:
            runs = await runs_in(session, State.RUNNING)
            evaluations = await evaluations_in(session, State.RUNNING)
            jobs = {row.job_name: await evaluation_job(row, session) for row in evaluations}
        rows: list[Run | Evaluation] = [*runs, *evaluations]
        wanted = {row.job_name: row for row in rows}
        for name, row in wanted.items():
            if not row.begun:
                await self._begin(name, TrainJob.model_validate(row.job) if isinstance(row, Run) else jobs[name], row)
                point("trainer.begun")
                await _mark_begun(runtime, row)
        for name in said.keys() - wanted.keys():
            point("trainer.releasing")
            await self._compute.release(name)
        return bool(wanted)

    async def _begin(self, name: str, job: TrainJob | EvaluateJob | None, row: Run | Evaluation) -> None:
        if job is not None:
            size = {"cpus": row.cpus, "gpus": row.gpus} if isinstance(row, Run) else {}
            await self._compute.begin(name, job, **size)


@asynccontextmanager
async def work_for(runtime: Runtime, row: Run | Evaluation) -> AsyncIterator[Work]:
    """Work in the name of who asked for the run, in the trace of that request."""
    async with runtime.work(row.requested_by, traceparent=row.trace, correlationid=row.correlation) as work:
        work.causationid = row.causation
        yield work


async def _mark_begun(runtime: Runtime, seen: Run | Evaluation) -> None:
    async with work_for(runtime, seen) as work:
        key = seen.run if isinstance(seen, Run) else seen.evaluation
        row = cast("Run | Evaluation", await work.session.get_one(type(seen), key))
        if row.job_name == seen.job_name:
            row.begun = True


def _lost(row: Run | Evaluation, said: Said | None) -> Lost | None:
    """A job that was begun, and that no worker knows any more."""
    known = said is None or not row.begun or row.job_name in said
    return None if known else Lost(job=row.job_name, reason=_GONE, memory=False)


def _news(run: Run, report: Report | Lost) -> bool:
    return isinstance(report, Lost) or report.outcome is not None or len(report.steps) > run.said


async def _hear(run: Run, report: Report | Lost, work: Work) -> None:
    for step in report.steps[run.said :]:
        _tell(run, step, work)
    run.said = max(run.said, len(report.steps))
    if isinstance(report, Lost):
        kind = "memory" if report.memory else "lost"
        await _hear_failure(run, Failure(because=kind, reason=report.reason), work)
    elif isinstance(report.outcome, Trained):
        await ends.complete(run, report.outcome, work)
    elif isinstance(report.outcome, Failure):
        await _hear_failure(run, report.outcome, work)


def _tell(run: Run, step: Step, work: Work) -> None:
    told = step.model_dump(mode="json")
    run.progress = told
    work.session.add(run)
    work.emit(TrainingProgressed.model_validate({"run": run.run, "model": run.model, **told}))


async def _hear_failure(run: Run, failure: Failure, work: Work) -> None:
    """What is lost is tried again, a few times; what failed has failed."""
    if failure.because == "lost" and after_loss(run.attempt) == "resume":
        log.warning("run_resumed", run=run.run, attempt=run.attempt + 1, reason=failure.reason)
        again(run, TrainJob.model_validate(run.job))
        work.session.add(run)
        return
    tries = f" ({run.attempt} attempts)" if failure.because == "lost" else ""
    await ends.fail(run, failure.because, failure.reason + tries, work)


def _conclude(row: Evaluation, report: Report | Lost, work: Work) -> None:
    outcome = report.outcome if isinstance(report, Report) else Failure(because="lost", reason=report.reason)
    if isinstance(outcome, Evaluated):
        ends.finish_evaluation(row, outcome, work)
    elif isinstance(outcome, Failure) and outcome.because == "lost" and after_loss(row.attempt) == "resume":
        row.attempt, row.begun = row.attempt + 1, False
        work.session.add(row)
    elif isinstance(outcome, Failure):
        ends.fail_evaluation(row, outcome.reason, work)
