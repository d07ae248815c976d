"""What is heard about versions, and about making one again: load, decide, save, emit."""

from pydantic import ValidationError
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus import Refused, UnitOfWork
from headrace.bus.upsert import put_row
from headrace.contracts import CodeRef, ObjectRef, ReproductionRequested, VersionRegistered, derive_id
from headrace.contracts.errors import choice_problem
from headrace.frameworks.catalog import CATALOG, not_installed
from headrace.objects import ObjectStore
from headrace.trainer.domain import Run, State
from headrace.trainer.handlers import queued
from headrace.trainer.reproduction import EXPERIMENT, TOLERANCE, Wanted
from headrace.trainer.tables import DatasetVersionRow, RunRow, VersionRow
from headrace.trainer.worker.jobs import TrainJob


async def on_version_registered(event: VersionRegistered, work: UnitOfWork) -> None:
    """Remember what a version is said to be made of: that is what a reproduction is held against."""
    registered = event.model_dump(mode="json", exclude_none=True)
    await put_row(work.session, VersionRow(model=event.model, version=event.version, registered=registered))


async def on_reproduction_requested(event: ReproductionRequested, work: UnitOfWork, *, store: ObjectStore) -> None:
    """Queue a run that makes a version again."""
    await request_reproduction(event, work, store)


async def request_reproduction(event: ReproductionRequested, work: UnitOfWork, store: ObjectStore) -> RunRow:
    """Queue a run that makes a version again; answers with it, for who asks over HTTP.

    Raises Refused where that cannot be done: a version that was not trained here, data or code that are gone.
    """
    told = f"models:/{event.model}/{event.version}"
    row = await work.session.get(VersionRow, (event.model, event.version))
    if row is None:
        raise Refused(f"there is no version {told}; `headrace versions {event.model}` lists those that there are")
    registered = VersionRegistered.model_validate(row.registered)
    recorded = await _recorded(registered, told, work.session)
    job = _job(recorded, told)
    await _must_be_there(recorded, told, work.session, store)
    wanted = Wanted(
        registered=registered,
        deterministic=CATALOG[job.framework].deterministic and not recorded.gpus,
        tolerance=TOLERANCE if event.tolerance is None else event.tolerance,
    )
    run = Run(
        run=derive_id(work.root, ReproductionRequested.TYPE, told, 0),
        model=event.model,
        dataset=recorded.dataset,
        reason=event.reason or f"reproduction of {told}",
        requested_by=work.actor,
        asked_at=work.now,
        declared_revision=recorded.declared_revision,
        pinned=recorded.dataset_version,
        params=recorded.params,
        seed=job.seed,
        cpus=recorded.cpus,
        gpus=recorded.gpus,
        custom=recorded.custom,
        owner=recorded.owner,
        code=recorded.code,
        experiment=EXPERIMENT,
        job=recorded.job,
        reproduces=wanted.model_dump(mode="json", exclude_none=True),
    )
    return queued(run, "capacity", work)


async def _recorded(version: VersionRegistered, told: str, session: AsyncSession) -> Run:
    """The run that made a version."""
    if version.lineage.run is None:
        raise Refused(f"{told} is {version.origin}, not trained here: there is no run that could be done again")
    row = await session.get(RunRow, version.lineage.run)
    if row is None or row.state != State.COMPLETED:
        raise Refused(f"{told} was made by run {version.lineage.run}, of which nothing is known here any more")
    return row.as_run


def _job(recorded: Run, told: str) -> TrainJob:
    """What exactly that run did; it must be something that can be done here now."""
    try:
        job = TrainJob.model_validate(recorded.job)
    except ValidationError as error:
        raise Refused(f"{told}: what run {recorded.run} did cannot be read by this release: {error}") from error
    if job.framework not in CATALOG:
        raise Refused(f"{told}: framework {choice_problem(job.framework, list(CATALOG))}")
    if reason := not_installed(job.framework):
        raise Refused(f"{told}: {reason}")
    return job


async def _must_be_there(recorded: Run, told: str, session: AsyncSession, store: ObjectStore) -> None:
    """Refuse what needs data or code that are gone; a part of the data that is gone ends the run, by its name."""
    dataset = f"dataset {recorded.dataset} version {recorded.dataset_version}"
    version = await session.get(DatasetVersionRow, (recorded.dataset, recorded.dataset_version))
    needed = [(dataset, ObjectRef(**version.manifest) if version else None)]
    if recorded.code:
        code = CodeRef.model_validate(recorded.code)
        needed.append((f"package {code.package}@{code.version}", code.object))
    for name, ref in needed:
        if ref is None or not await store.may_be_there(ref.bucket, ref.key):
            raise Refused(f"{told} was made with {name}, which is gone: it cannot be made again")
