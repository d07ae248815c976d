"""From the queue to a job: which runs get a worker, and what exactly each is to do."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus import UnitOfWork
from headrace.contracts import Column, DatasetRef, Declaration, EvaluationRequested, ModelVersion, ObjectRef, OwnCode
from headrace.frameworks.catalog import CATALOG, not_installed
from headrace.tasks import task_named
from headrace.trainer.domain import Run, State
from headrace.trainer.giving_way import taken_up
from headrace.trainer.handlers import PUSH, declaration_of, keep
from headrace.trainer.planning import Plan, Unplannable, plan
from headrace.trainer.quotas import Ledger, Quotas
from headrace.trainer.resources import Room, Size, lacking
from headrace.trainer.scheduling import Queued, next_runs
from headrace.trainer.settings import TrainerSettings
from headrace.trainer.tables import DatasetVersionRow, EvaluationRow, Repository, RunRow
from headrace.trainer.usage import Prices
from headrace.trainer.worker.jobs import CodeJob, Data, EvaluateJob, Failure, Learned, Rival, SearchJob, TrainJob, Tried

_DURATION = TypeAdapter(timedelta)
COLUMNS = TypeAdapter(list[Column])


async def chosen(
    session: AsyncSession, free: int, nodes: Sequence[Size], quotas: Quotas, now: datetime, aging: timedelta
) -> list[str]:
    """The runs that get the free workers; those that no node has room for wait, and keep no place from others."""
    if free <= 0:
        return []
    running = await Repository(session).runs_in(State.RUNNING)
    possible = [each for each in await Repository(session).queue() if lacking(each.size, nodes) is None]
    room, ledger = Room(nodes, [run.size for run in running]), Ledger(quotas, ((r.owner, r.size) for r in running))

    def may(run: Queued) -> bool:
        return ledger.may(run) and room.take(run.size) and ledger.take(run)

    return next_runs(possible, await Repository(session).recent(), free, may=may, now=now, aging=aging)


async def start(row: RunRow, work: UnitOfWork, settings: TrainerSettings, prices: Prices | None = None) -> None:
    """Resolve a run into a job; a run that cannot be resolved has failed. One that gave its place up goes on."""
    if row.attempt:
        keep(work, row, taken_up(row.as_run, work.now))
        return
    declaration = await declaration_of(work.session, row)
    version = await _version(row, work.session)
    resources, timeout = declaration.training.resources, _DURATION.validate_python(declaration.training.timeout)
    rate = prices.rate(row.cpus, row.gpus, resources.memory_mb) if prices else None
    run = row.as_run.taken(version.version, work.now, timeout, rate)
    dataset = DatasetRef(name=version.dataset, version=version.version, digest=version.digest)
    try:
        job = _job_of(run, declaration, version, settings)
        if run.reproduces is None:
            job = job.model_copy(update={"judge": await judge_for(declaration, work.session)})
    except Unplannable as error:
        keep(work, row, run.failed(Failure(because="data", reason=str(error)), dataset, work.now))
        return
    keep(work, row, run.started(job, dataset))


async def judge_for(declaration: Declaration, session: AsyncSession, *, imported: bool = False) -> CodeJob | None:
    """The package that has the functions which judge, where the task's options name one; raises Unplannable.

    A run's own code has them where they do not; of an import the declared code, in its newest version.
    """
    task, code = task_named(declaration.task), declaration.training.code
    named = task.metrics_package(declaration.task_options or {})
    if named is None and imported and task.own_metrics and code is not None:
        named = code.package
    if named is None:
        return None
    name, _, version = named.partition("@")
    row = await Repository(session).package(name, int(version) if version else None)
    if row is None:
        raise Unplannable(f"the functions that judge: there is no package {named!r}; {PUSH}")
    return CodeJob(package=name, version=row.version, object=ObjectRef(**row.object))


async def evaluation_job(row: EvaluationRow, session: AsyncSession) -> EvaluateJob | None:
    """What an evaluation is to do; None where the trainer has never heard of the dataset version."""
    asked = EvaluationRequested.model_validate(row.request)
    version = await session.get(DatasetVersionRow, (asked.dataset.name, asked.dataset.version))
    if version is None:
        return None
    told: dict[str, Any] = {
        "evaluation": row.evaluation,
        "candidate": _rival(asked.candidate),
        "champion": _rival(asked.champion) if asked.champion else None,
        "data": data_of(version),
        "columns": [column["name"] for column in version.columns],
    }
    same = ("holdout", "target", "metrics", "confidence", "resamples", "seed")
    return EvaluateJob.model_validate({**told, **{name: getattr(asked, name) for name in same}})


async def search_job(row: RunRow, session: AsyncSession, settings: TrainerSettings) -> SearchJob:
    """What a search is to do: the trials that have ended are known, and those that had begun are begun anew."""
    train, wish = TrainJob.model_validate(row.job), row.search or {}
    known = [known_trial(each) for each in await Repository(session).trials(row.run)]
    told = {name: wish[name] for name in ("space", "metric", "greater_is_better", "trials", "parallel", "fraction")}
    return SearchJob(
        train=train,
        **told,
        stop_early=wish["stop_early"],
        known=known,
        cpus=row.cpus,
        gpus=row.gpus,
        memory_mb=min(train.memory_mb or settings.run_memory_mb, settings.run_memory_mb),
    )


def known_trial(row: RunRow) -> Tried:
    """A trial of an earlier attempt, as a search goes on from it."""
    outcome = row.outcome or {}
    told = {name: outcome[name] for name in ("because", "reason", "reached", "seconds") if name in outcome}
    value = next(iter(outcome.get("metrics", {}).values()), None)
    state = outcome.get("state", "running")
    return Tried(number=row.trial or 0, state=state, params=row.params, value=value, **told)


def _rival(version: ModelVersion) -> Rival:
    """A version with the rows that it has learned from, where somebody knows them."""
    learned = Learned.model_validate(version.learned.model_dump()) if version.learned else None
    return Rival(version=version.version, artifact=version.artifact, learned=learned)


async def _version(run: RunRow, session: AsyncSession) -> DatasetVersionRow:
    if run.pinned is not None:
        return await session.get_one(DatasetVersionRow, (run.dataset, run.pinned))
    newest = await Repository(session).newest_version(run.dataset)
    return (
        newest or (await session.exec(select(DatasetVersionRow).where(DatasetVersionRow.dataset == run.dataset))).one()
    )


def data_of(version: DatasetVersionRow) -> Data:
    """A dataset version as workers read it."""
    told = version.model_dump(include={"dataset", "digest", "parts"})
    return Data(**told, manifest=ObjectRef(**version.manifest))


def _job_of(run: Run, declaration: Declaration, version: DatasetVersionRow, settings: TrainerSettings) -> TrainJob:
    """What a run is to do: resolved from its declaration, or what is recorded where it makes a version again."""
    if run.reproduces is None:
        planned = _plan(run, declaration, version)
        return _job(run, planned, version, settings, declaration.training.resources.memory_mb)
    recorded = TrainJob.model_validate(run.job)
    return recorded.model_copy(update={"run": run.run, "attempt": 0, "created": run.started_at})


def _plan(run: Run, declaration: Declaration, version: DatasetVersionRow) -> Plan:
    columns = COLUMNS.validate_python(version.columns)
    framework = declaration.training.framework
    if framework not in CATALOG:
        raise Unplannable(f"no framework named {framework!r}; training.framework may be {', '.join(CATALOG)}")
    if reason := not_installed(framework):
        raise Unplannable(f"training.framework: {reason}")
    if declaration.training.code is not None:
        return plan(declaration, columns, run.params, run.seed, described(run, declaration.training.code))
    default = CATALOG[framework].usual_of(task_named(declaration.task).kinds)
    if not default:
        raise Unplannable(
            f"task {declaration.task} is trained by code of your own; say training.code, or import a model"
        )
    return plan(declaration, columns, run.params, run.seed, default)


def described(run: Run, code: OwnCode) -> str:
    """What stands in the place of an estimator, `net@3 train:train`; raises Unplannable without a package."""
    if run.code is None:
        raise Unplannable(f"training.code: there is no package {code.package!r}; {PUSH}")
    return f"{run.code['package']}@{run.code['version']} {code.entry or ' '.join(code.command or ())}"


def _kept(settings: TrainerSettings) -> dict[str, Any]:
    return {"checkpoints": settings.checkpoints, "checkpoints_seconds": settings.checkpoints_for.total_seconds()}


def _job(
    run: Run, planned: Plan, version: DatasetVersionRow, settings: TrainerSettings, memory_mb: int | None
) -> TrainJob:
    same = (
        "features",
        "context",
        "target",
        "task",
        "positive",
        "options",
        "time",
        "framework",
        "estimator",
        "seed",
        "by",
        "fraction",
        "grouped_by",
        "metrics",
        "weight",
        "class_weight",
        "monotone",
        "early_stopping",
        "warnings",
        "preparation",
    )
    told = {
        "run": run.run,
        "attempt": 0,
        "model": run.model,
        "data": data_of(version),
        "bucket": settings.models_bucket,
    }
    told["columns"] = [column["name"] for column in version.columns]
    resolved = {name: getattr(planned, name) for name in same}
    extra = {"params": dict(planned.params), "created": run.started_at, "memory_mb": memory_mb}
    if run.code is not None:
        own = {"threads": max(1, int(run.cpus)), "disk_mb": settings.code_disk_mb, "network": settings.code_network}
        extra |= {
            "code": {**run.code, **own, "processes": settings.code_processes, **_kept(settings)},
            "memory_mb": min(memory_mb or settings.run_memory_mb, settings.run_memory_mb),
        }
    return TrainJob.model_validate({**told, **resolved, **extra})
