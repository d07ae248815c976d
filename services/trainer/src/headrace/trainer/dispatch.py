"""The loop between the queue and the workers: start what waits, hear how it goes, say how it ended.

Every change of a run is one transaction with the events about it. Workers follow: a job that no running row asks for
is let go, one that a row asks for and no worker has is begun. So a crash between the two leaves nothing to repair.
"""

import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

import structlog
from sqlalchemy import event
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus import Handler, NotYet, Refused, UnitOfWork
from headrace.bus.store import is_outage
from headrace.bus.trace import follow
from headrace.chassis import Every, Runtime, every
from headrace.contracts import TrainingCheckpointed, TrainingProgressed
from headrace.faults import point
from headrace.trainer.compute import ComputeAway, Lost, RayCompute
from headrace.trainer.domain import Decision, State
from headrace.trainer.giving_way import heard, must_yield, yielded
from headrace.trainer.handlers import dataset_ref, end_trials, keep
from headrace.trainer.import_submission import datasets_of, start_import
from headrace.trainer.quotas import Quotas
from headrace.trainer.resources import Size, lacking
from headrace.trainer.settings import TrainerSettings
from headrace.trainer.submission import chosen, evaluation_job, search_job, start
from headrace.trainer.tables import EvaluationRow, ImportRow, Repository, RunRow
from headrace.trainer.usage import Prices
from headrace.trainer.waiting import Wait, ask_to_yield, tell, to_yield, waits_of, waits_to_tell
from headrace.trainer.worker.jobs import AnyJob, Failure, ImportJob, Outcome, Report, TrainJob

log = structlog.get_logger(__name__)

Row = RunRow | EvaluationRow | ImportRow
Said = Mapping[str, Report | Lost]
STORE = "objects"  # as readiness names it
_GONE = "the worker is gone"
_LOOK_AGAIN = timedelta(milliseconds=50)


@dataclass(frozen=True)
class Task:
    """One thing to do: hear a job's report, start what waits, give a worker its job, have a run give way to another
    one, or let a worker go.
    """

    kind: Literal["settle", "wait", "start", "begin", "yield", "release"]
    name: str
    row: Row | None = None
    report: Report | Lost | None = None
    wait: Wait | None = None
    to: RunRow | None = None
    """The run that another one is to make room for; None where it may stay."""


class Dispatcher:
    """Keeps workers and rows in step."""

    def __init__(
        self,
        compute: RayCompute,
        settings: TrainerSettings,
        prices: Prices | None = None,
        quotas: Quotas = Quotas(),  # noqa: B008  it is frozen
    ) -> None:
        self._compute = compute
        self._prices = prices
        self.quotas = quotas
        self._settings = settings
        self._changed = compute.wake
        self._busy = False
        self._nodes: Sequence[Size] | None = None
        self._looked = 0.0

    def waking(self, handler: Handler) -> Handler:
        """A handler after whose commit the loop looks at once."""

        async def handle(fact: Any, work: UnitOfWork) -> None:
            await handler(fact, work)
            self.wake_after(work)

        return handle

    def wake_after(self, work: UnitOfWork) -> None:
        """Look at once when this work is committed."""
        event.listen(work.session.sync_session, "after_commit", lambda _: self._changed.set(), once=True)

    def loop(self) -> Every[Runtime, Task]:
        """Every run and every evaluation apart from the others; what cannot be handled has failed."""
        return every(
            self._pause,
            self.due,
            self.handle,
            name="dispatch",
            give_up=give_up,
            outages=(ComputeAway,),
            wake=self._changed,
        )

    def _pause(self) -> timedelta:
        return self._settings.poll_every if self._busy else self._settings.look_every

    async def due(self, runtime: Runtime) -> Mapping[str, Task]:
        """What is to be done now, by kind and attempt; only what needs no worker while Ray or the store is away."""
        said = await self._heard()
        may_begin = said is not None and STORE not in runtime.problems  # else an attempt would be spent on nothing
        async with runtime.session() as session:
            runs = await Repository(session).runs_in(State.RUNNING)
            evaluations = await Repository(session).evaluations_in(State.RUNNING)
            imports = await Repository(session).imports_in(State.RUNNING)
            many = (len(runs), len(evaluations), len(imports))
            waiting = await self._startable(session, runtime.clock(), *many) if may_begin else []
        rows: list[Row] = [*runs, *evaluations, *imports]
        self._busy = bool(rows)
        tasks = [*_news(runtime, rows, said), *waiting]
        if may_begin:
            tasks += [Task("begin", row.job_name, row) for row in rows if not row.begun]
        if said is not None:
            wanted = {row.job_name for row in rows}
            tasks += [Task("release", name) for name in said.keys() - wanted]
        return {f"{task.kind}/{task.name}": task for task in tasks}

    async def handle(self, runtime: Runtime, task: Task) -> bool:
        """Do one of these things; whether more may follow from it at once."""
        try:
            await self._do(runtime, task)
        except StaleDataError as error:  # a handler changed the same row in the same moment: look again
            raise NotYet("changed meanwhile", _LOOK_AGAIN) from error
        return task.kind != "release"

    async def _do(self, runtime: Runtime, task: Task) -> None:
        match task:
            case Task("settle", _, RunRow() as run):
                await self._settle_run(runtime, run, task.report)
            case Task("settle", _, EvaluationRow() as evaluation):
                await self._settle_evaluation(runtime, evaluation, task.report)
            case Task("settle", _, ImportRow() as wish):
                await self._settle_import(runtime, wish, task.report)
            case Task("wait", _, RunRow() as run):
                await self._wait(runtime, run, task.wait or Wait())
            case Task("yield", _, RunRow() as run):
                await self._yield(runtime, run, task.to)
            case Task("start", _, RunRow() as run):
                await self._start_run(runtime, run)
            case Task("start", _, EvaluationRow() as evaluation):
                await self._start_evaluation(runtime, evaluation)
            case Task("start", _, ImportRow() as wish):
                await self._start_import(runtime, wish)
            case Task("begin", _, RunRow() | EvaluationRow() | ImportRow() as row):
                await self._begin(runtime, row)
            case _:
                point("trainer.releasing")
                await self._compute.release(task.name)

    async def _heard(self) -> Said | None:
        """What the workers say; None while Ray is away."""
        try:
            return await self._compute.jobs()
        except ComputeAway as away:
            log.debug("compute_away", reason=str(away))
            return None

    async def _startable(
        self, session: AsyncSession, now: datetime, runs: int, evaluations: int, imports: int
    ) -> list[Task]:
        """What gets a free worker. Evaluations have a place of their own: they are short, and releases wait.

        So have imports: one that hangs keeps no place from anything else.
        """
        found: list[Task] = []
        nodes = await self._known_nodes()
        for row, wait in await waits_to_tell(session, nodes, self.quotas):
            found.append(Task("wait", row.run, row, wait=wait))
        free, aging = self._settings.capacity - runs, self._settings.priority_aging
        starting = await chosen(session, free, nodes, self.quotas, now, aging)
        found += [Task("start", run, await session.get_one(RunRow, run)) for run in starting]
        for row, to in await to_yield(session, starting, nodes, self._settings, self.quotas):
            found.append(Task("yield", row.job_name, row, to=to))
        waiting = await Repository(session).evaluations_in(State.QUEUED)
        free = max(0, self._settings.evaluations - evaluations)
        found += [Task("start", row.evaluation, row) for row in waiting[:free]]
        wishes = await Repository(session).imports_in(State.QUEUED)
        free = max(0, self._settings.imports - imports)
        return [*found, *(Task("start", row.import_id, row) for row in wishes[:free])]

    def _seconds(self, runtime: Runtime, row: Row) -> float:
        """What is left to a job: the limit is of the run, over all its attempts."""
        if isinstance(row, EvaluationRow) or row.due_at is None:
            return self._settings.evaluation_timeout.total_seconds()
        return max(0.0, (row.due_at - runtime.clock()).total_seconds())

    async def _known_nodes(self) -> Sequence[Size]:
        """The nodes of the cluster, as they were a moment ago."""
        if self._nodes is None or time.monotonic() - self._looked >= self._settings.look_every.total_seconds():
            self._nodes, self._looked = await self._compute.nodes(), time.monotonic()
        return self._nodes

    async def lacks(self, size: Size) -> tuple[bool, str | None]:
        """Whether the nodes of today are known, and why none of them could hold a run of a size."""
        try:
            return True, lacking(size, await self._known_nodes())
        except ComputeAway:
            return False, None

    async def tell_if_waiting(self, run: RunRow, work: UnitOfWork) -> None:
        """Say at once, to who asks over HTTP, that a run waits for a node or a quota; later, where Ray is away."""
        if self._nodes is None or run.state != State.QUEUED:
            return
        queue = await Repository(work.session).runs_in(State.QUEUED)
        found = (await waits_of(work.session, queue, self._nodes, self.quotas))[run.run]
        if found.name != run.waits_for:
            tell(run, found, work)

    async def _wait(self, runtime: Runtime, seen: RunRow, wait: Wait) -> None:
        async with work_for(runtime, seen) as work:
            run = await work.session.get_one(RunRow, seen.run)
            if run.state == State.QUEUED:
                tell(run, wait, work)

    async def _yield(self, runtime: Runtime, seen: RunRow, to: RunRow | None) -> None:
        """Ask what runs for a checkpoint, then say so: a crash between the two asks once more."""
        await self._compute.ask(seen.job_name, checkpoint=to is not None)
        async with work_for(runtime, seen) as work:
            run = await work.session.get_one(RunRow, seen.run)
            if run.state == State.RUNNING and run.attempt == seen.attempt:
                ask_to_yield(run, to, work, self._settings)

    async def _settle_run(self, runtime: Runtime, seen: RunRow, report: Report | Lost | None) -> None:
        """Say what is new of a run: progress, its end, or that it is lost or late."""
        async with work_for(runtime, seen) as work:
            row = await work.session.get_one(RunRow, seen.run)
            if row.state != State.RUNNING or row.attempt != seen.attempt:
                return
            dataset, run = await dataset_ref(row, work.session), row.as_run
            told = (
                heard(run, report.steps, _outcome(report), dataset, work.now, report.first) if report else Decision(run)
            )
            decision = told.then(lambda run: yielded(run, work.now)).then(lambda run: run.late(dataset, work.now))
            keep(work, row, decision)
            for fact in (each for each in decision.facts if isinstance(each, TrainingCheckpointed)):
                await Repository(work.session).add_checkpoint(fact, work.now)
            for trial in (each.trial for each in decision.facts if isinstance(each, TrainingProgressed) and each.trial):
                await Repository(work.session).put_trial(run, trial, work.now)
            await end_trials(row, work)
            if row.attempt != seen.attempt and row.losses:  # after a search the next attempt trains
                log.warning("run_resumed", run=row.run, attempt=row.attempt)

    async def _settle_evaluation(self, runtime: Runtime, seen: EvaluationRow, report: Report | Lost | None) -> None:
        async with work_for(runtime, seen) as work:
            row = await work.session.get_one(EvaluationRow, seen.evaluation)
            if report is not None and row.state == State.RUNNING and row.attempt == seen.attempt:
                keep(work, row, row.as_evaluation.heard(_outcome(report)))

    async def _settle_import(self, runtime: Runtime, seen: ImportRow, report: Report | Lost | None) -> None:
        async with work_for(runtime, seen) as work:
            row = await work.session.get_one(ImportRow, seen.import_id)
            if row.state != State.RUNNING or row.attempt != seen.attempt:
                return
            datasets, wish = await datasets_of(row, work.session), row.as_import
            told = wish.heard(_outcome(report), datasets, work.now) if report else Decision(wish)
            keep(work, row, told.then(lambda wish: wish.late(work.now)))

    async def _start_import(self, runtime: Runtime, seen: ImportRow) -> None:
        async with starting(runtime, seen) as work:
            row = await work.session.get_one(ImportRow, seen.import_id)
            if row.state == State.QUEUED:
                await start_import(row, work, self._settings)

    async def _start_run(self, runtime: Runtime, seen: RunRow) -> None:
        async with starting(runtime, seen) as work:
            row = await work.session.get_one(RunRow, seen.run)
            if row.state == State.QUEUED:
                await start(row, work, self._settings, self._prices)

    async def _start_evaluation(self, runtime: Runtime, seen: EvaluationRow) -> None:
        async with starting(runtime, seen) as work:
            row = await work.session.get_one(EvaluationRow, seen.evaluation)
            if row.state != State.QUEUED:
                return
            decision = row.as_evaluation.started()
            if await evaluation_job(row, work.session) is None:
                dataset = row.request["dataset"]
                why = f"dataset {dataset['name']} has no version {dataset['version']}"
                decision = decision.then(lambda evaluation: evaluation.failed(why))
            keep(work, row, decision)

    async def _begin(self, runtime: Runtime, row: Row) -> None:
        """Give a worker what a row asks for."""
        job: AnyJob | None
        if isinstance(row, RunRow) and row.as_run.searches:
            async with runtime.session() as session:
                job = await search_job(row, session, self._settings)
        elif isinstance(row, RunRow):
            job = TrainJob.model_validate(row.job)
        elif isinstance(row, ImportRow):
            job = ImportJob.model_validate(row.job)
        else:
            async with runtime.session() as session:
                job = await evaluation_job(row, session)
        if job is not None:
            job = job.model_copy(update={"seconds": self._seconds(runtime, row)})
            size = row.size if isinstance(job, TrainJob) and isinstance(row, RunRow) else Size()
            await self._compute.begin(row.job_name, job, size)
            point("trainer.begun")
        await _mark_begun(runtime, row)


@asynccontextmanager
async def starting(runtime: Runtime, row: Row) -> AsyncIterator[UnitOfWork]:
    """Work that starts a row. What cannot be started has failed at once: it would only keep the place from others."""
    async with work_for(runtime, row) as work:
        try:
            yield work
        except StaleDataError:
            raise
        except Exception as error:
            if is_outage(error):
                raise
            log.exception("not_started", row=row.job_name)
            raise Refused(f"it cannot be started: {type(error).__name__}: {error}") from error


async def give_up(work: UnitOfWork, task: Task, reason: str) -> None:
    """A run or evaluation that cannot be handled has failed; its author is told, and its place is free."""
    seen, told = task.row, f"{task.kind}: {reason}; an operator reads more with `headrace dead-letters`"
    if seen is None:
        return
    _speak_for(work, seen)
    if isinstance(seen, RunRow):
        run = await work.session.get_one(RunRow, seen.run)
        if not State(run.state).ended:
            keep(work, run, run.as_run.abandoned(told, work.now))
            await end_trials(run, work)
    elif isinstance(seen, ImportRow):
        wish = await work.session.get_one(ImportRow, seen.import_id)
        if not State(wish.state).ended:
            keep(work, wish, wish.as_import.abandoned(told, work.now))
    else:
        row = await work.session.get_one(EvaluationRow, seen.evaluation)
        if not State(row.state).ended:
            keep(work, row, row.as_evaluation.abandoned(told))


def _speak_for(work: UnitOfWork, row: Row) -> None:
    """Work in the name of who asked, in the chain of events of that request."""
    work.actor, work.traceparent = row.requested_by, follow(row.trace)
    work.correlationid, work.causationid = row.correlation, row.causation


@asynccontextmanager
async def work_for(runtime: Runtime, row: Row) -> AsyncIterator[UnitOfWork]:
    """Work in the name of who asked for the run, in the trace of that request."""
    async with runtime.work(row.requested_by) as work:
        _speak_for(work, row)
        yield work


async def _mark_begun(runtime: Runtime, seen: Row) -> None:
    async with work_for(runtime, seen) as work:
        row = cast("Row", await work.session.get_one(type(seen), _key(seen)))
        if row.job_name == seen.job_name:
            row.begun = True


def _key(row: Row) -> str:
    match row:
        case RunRow():
            return row.run
        case EvaluationRow():
            return row.evaluation
        case _:
            return row.import_id


def _lost(row: Row, said: Said | None) -> Lost | None:
    """A job that was begun, and that no worker knows any more."""
    known = said is None or not row.begun or row.job_name in said
    return None if known else Lost(job=row.job_name, reason=_GONE, memory=False)


def _news(runtime: Runtime, rows: Sequence[Row], said: Said | None) -> Iterator[Task]:
    """What there is to say of what runs."""
    for row in rows:
        report = (said or {}).get(row.job_name) or _lost(row, said)
        if _tells(row, report) or _is_late(row, runtime):
            yield Task("settle", row.job_name, row, report)


def _tells(row: Row, report: Report | Lost | None) -> bool:
    if report is None or isinstance(report, Lost):
        return report is not None
    return report.outcome is not None or (isinstance(row, RunRow) and report.first + len(report.steps) > row.said)


def _is_late(row: Row, runtime: Runtime) -> bool:
    if isinstance(row, RunRow) and _gives_way(row, runtime):
        return True
    due = None if isinstance(row, EvaluationRow) else row.due_at
    return due is not None and runtime.clock() >= due


def _gives_way(row: RunRow, runtime: Runtime) -> bool:
    """Whether a run is to give way now; one that cannot be read is settled, which fails for it alone."""
    try:
        return must_yield(row.as_run, runtime.clock())
    except (KeyError, TypeError, ValueError):
        return True


def _outcome(report: Report | Lost) -> Outcome | None:
    """How a job ended; None where it goes on."""
    if isinstance(report, Report):
        return report.outcome
    return Failure(because="memory" if report.memory else "lost", reason=report.reason)
