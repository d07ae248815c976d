"""One function per fact heard: load, decide, save, emit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import TypeAdapter
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus import Refused, UnitOfWork
from headrace.bus.upsert import put_row
from headrace.contracts import (
    CancelRequested,
    DatasetIngested,
    DatasetRef,
    Declaration,
    EvaluationRequested,
    ImportQueued,
    ModelDeclared,
    OwnCode,
    PromotionRequested,
    TrainingQueued,
    TrainingRequested,
    derive_id,
    is_person,
)
from headrace.contracts.catalogs import CATALOGS, priority_of
from headrace.contracts.estimators import training_problems
from headrace.frameworks.catalog import not_installed
from headrace.tasks import task_named
from headrace.trainer.domain import Decision, Impossible, Run, State
from headrace.trainer.scheduling import trains_on_new_data, waits_for
from headrace.trainer.search import wish_of, wish_problems
from headrace.trainer.tables import (
    DatasetVersionRow,
    DeclaredRow,
    EvaluationRow,
    ImportRow,
    Repository,
    RevisionRow,
    RunRow,
)

DECLARATION = TypeAdapter(Declaration)
PUSH = "`headrace code push NAME FOLDER` makes one"


async def on_model_declared(event: ModelDeclared, work: UnitOfWork) -> None:
    """Remember the revision, for the runs that are bound to it, and which one is the newest.

    A model whose data were there before it starts its first run now: no new data may ever come.
    """
    declaration = event.declaration.model_dump(mode="json")
    await put_row(work.session, RevisionRow(model=event.name, revision=event.revision, declaration=declaration))
    known = await work.session.get(DeclaredRow, event.name)
    if known is not None and known.revision >= event.revision:
        return
    declared = DeclaredRow(
        model=event.name, revision=event.revision, dataset=event.declaration.data.dataset, declaration=declaration
    )
    await put_row(work.session, declared)
    newest = await Repository(work.session).newest_version(declared.dataset)
    ran = await Repository(work.session).ever_ran(event.name, declared.dataset)
    if newest is not None and trains_on_new_data(event.declaration, ran):
        reason = f"first run: {declared.dataset} version {newest.version} was there"
        await _queue(TrainingRequested(model=event.name, reason=reason), declared, work)


async def take_new_data(event: DatasetIngested, work: UnitOfWork) -> None:
    """Remember the version, let the runs go that waited for it, and start those that new data start."""
    known = event.model_dump(mode="json", include={"digest", "rows", "parts", "manifest", "columns"})
    await put_row(work.session, DatasetVersionRow(dataset=event.dataset, version=event.version, **known))
    for declared in await Repository(work.session).models_of(event.dataset):
        pending = await Repository(work.session).runs_in(State.WAITING, State.QUEUED, model=declared.model)
        versions = [row for row in pending if row.experiment is None and row.declared_revision == declared.revision]
        taken = any(row.as_run.takes(event.version) for row in versions)
        if trains_on_new_data(DECLARATION.validate_python(declared.declaration), taken):
            reason = f"new data: {event.dataset} version {event.version}"
            await _queue(TrainingRequested(model=declared.model, reason=reason), declared, work)
        for row in pending:
            keep(work, row, row.as_run.released(event.version))


async def on_training_requested(event: TrainingRequested, work: UnitOfWork) -> None:
    """Queue a run of a model that is declared."""
    await request_run(event, work)


async def request_run(event: TrainingRequested, work: UnitOfWork) -> RunRow:
    """Queue a run; answers with it, for who asks over HTTP."""
    wanted = CATALOGS["training-data"].known(event.data or "latest", "data")
    declared = await work.session.get(DeclaredRow, event.model)
    if declared is None:
        raise Refused(f"no model named {event.model!r} is declared; declare it first with `headrace apply`")
    declaration = DECLARATION.validate_python(declared.declaration)
    training = declaration.training
    asked = {**training.params, **(event.params or {})}
    kinds = task_named(declaration.task).kinds
    problems = list(training_problems(training.framework, training.estimator, asked, declaration.task, *kinds))
    problems += wish_problems(declaration, event)
    if problems:
        raise Refused("; ".join(map(str, problems)))
    if reason := not_installed(training.framework):
        raise Refused(f"training.framework: {reason}")
    if training.code and await bound(training.code, work.session) is None:
        raise Refused(f"training.code: there is no package {training.code.package!r}; {PUSH}")
    return await _queue(event, declared, work, wanted=wanted)


async def cancel_asked_run(event: CancelRequested, work: UnitOfWork) -> None:
    """End a run that has not ended; who is known by a connection alone ends what it asked for itself."""
    must_be_its_own(event.run, (await _run_of(event, work)).requested_by, work, "cancel")
    await cancel_run(event, work)


async def cancel_run(event: CancelRequested, work: UnitOfWork) -> RunRow:
    """End a run now; whatever works for it is stopped as soon as this is known to be so."""
    row = await _run_of(event, work)
    with refusing():
        decision = row.as_run.cancelled(event.reason or "cancelled on request", work.actor, work.now)
    keep(work, row, decision)
    await end_trials(row, work)
    return row


async def end_trials(row: RunRow, work: UnitOfWork) -> None:
    """The trials of a run that has ended have ended, too: their actors are gone with its worker."""
    if row.search is not None and (State(row.state).ended or not row.as_run.searches):
        await Repository(work.session).end_trials(row.run, work.now)


async def on_promotion_requested(event: PromotionRequested, work: UnitOfWork) -> None:
    """Make a version of a run of an experiment; who is known by a connection alone promotes what it asked for."""
    must_be_its_own(event.run, (await _run_of(event, work)).requested_by, work, "promote")
    await promote_run(event, work)


async def promote_run(event: PromotionRequested, work: UnitOfWork) -> RunRow:
    """Say a run's completion anew, as that of a version."""
    row = await _run_of(event, work)
    dataset = await dataset_ref(row, work.session) if row.dataset_version else None
    with refusing():
        decision = row.as_run.promoted(work.actor, event.reason or "on request", dataset)
    keep(work, row, decision)
    return row


async def _run_of(event: CancelRequested | PromotionRequested, work: UnitOfWork) -> RunRow:
    """The run that a request is about; raises Refused where its model has none of that name."""
    row = await work.session.get(RunRow, event.run)
    if row is None or row.model != event.model:
        raise Refused(f"model {event.model!r} has no run {event.run!r}; GET /runs?model={event.model} lists them")
    return row


def must_be_its_own(name: str, requested_by: str, work: UnitOfWork, what: str) -> None:
    """Raise Refused where who is known by a connection alone asks about a run or import that somebody else wanted."""
    if not is_person(work.actor) and requested_by != work.actor:
        raise Refused(f"{name} was asked for by {requested_by}, not by {work.actor}; {what} it over HTTP")


@contextmanager
def refusing() -> Iterator[None]:
    """Whoever asks for a step that a run or an import cannot take is told why."""
    try:
        yield
    except Impossible as error:
        raise Refused(str(error)) from error


async def on_evaluation_requested(event: EvaluationRequested, work: UnitOfWork) -> None:
    """Queue an evaluation; asked for again it is not done again."""
    if await work.session.get(EvaluationRow, event.evaluation) is not None:
        return
    work.session.add(
        EvaluationRow(
            evaluation=event.evaluation,
            model=event.model,
            state=State.QUEUED,
            asked_at=work.now,
            request=event.model_dump(mode="json"),
            requested_by=work.actor,
            **chain(work),
        )
    )


async def _queue(
    event: TrainingRequested, declared: DeclaredRow, work: UnitOfWork, *, wanted: str = "latest"
) -> RunRow:
    newest = await Repository(work.session).newest_version(declared.dataset)
    trained = await Repository(work.session).last_trained(event.model)
    waiting = waits_for(
        wants=wanted,
        newest=newest.version if newest else None,
        pinned=event.dataset_version,
        trained=trained,
    )
    declaration = DECLARATION.validate_python(declared.declaration)
    training, resources = declaration.training, declaration.training.resources
    run = Run(
        run=_run_id(event, work),
        model=event.model,
        dataset=declared.dataset,
        reason=event.reason or "requested",
        requested_by=work.actor,
        asked_at=work.now,
        declared_revision=declared.revision,
        pinned=event.dataset_version,
        newer_than=trained if wanted == "newer" else None,
        params=event.params or {},
        seed=event.seed,
        cpus=resources.cpus,
        gpus=resources.gpus,
        custom=resources.custom,
        priority=_priority(event, training.priority, work),
        experiment=event.experiment,
        owner=declaration.owner.team if declaration.owner else None,
        code=await bound(training.code, work.session) if training.code else None,
        search=wish_of(declaration, event),
    )
    return queued(run, waiting, work)


def _priority(event: TrainingRequested, declared: int | str, work: UnitOfWork) -> int:
    """The priority of a run: as declared, or as asked for. Only a person may ask for more than is declared."""
    usual = priority_of(declared)
    asked = usual if event.priority is None else priority_of(event.priority)
    if asked > usual and not is_person(work.actor):
        raise Refused(
            f"priority: {event.model} is declared with priority {usual}, and {work.actor} is no person, who alone may "
            f"ask for more; declare training.priority: {asked}, or ask over HTTP"
        )
    return asked


def queued(run: Run, waits: str, work: UnitOfWork) -> RunRow:
    """Save a run that is asked for now, and say so."""
    decision = run.asked(waits)
    row = RunRow(**vars(decision.after), **chain(work))
    keep(work, row, decision)
    row.correlation = work.correlationid
    return row


async def bound(code: OwnCode, session: AsyncSession) -> dict[str, Any] | None:
    """The version of a package that a run is bound to; None where there is none, which ends the run when it starts."""
    name, _, version = code.package.partition("@")
    row = await Repository(session).package(name, int(version) if version else None)
    if row is None:
        return None
    how = code.model_dump(mode="json", exclude={"package"}, exclude_none=True)
    where = {"commit": row.commit, "dirty": row.dirty} if row.commit else {}
    return {"package": name, "version": row.version, "object": row.object, **how, **where}


def keep(work: UnitOfWork, row: RunRow | EvaluationRow | ImportRow, decision: Decision[Any]) -> None:
    """Save what was decided and say what follows; what comes of a run later is caused by its newest wait."""
    Repository(work.session).save(row, decision, work.now)
    for fact in decision.facts:
        said = work.emit(fact)
        if isinstance(fact, TrainingQueued | ImportQueued):
            row.causation = said


async def dataset_ref(row: RunRow, session: AsyncSession) -> DatasetRef:
    """The dataset version that a run takes."""
    version = await session.get_one(DatasetVersionRow, (row.dataset, row.dataset_version))
    return DatasetRef(name=version.dataset, version=version.version, digest=version.digest)


def _run_id(event: TrainingRequested, work: UnitOfWork) -> str:
    """A UUID, the same for the same cause and model, so that a request handled twice is one run."""
    return derive_id(work.root, TrainingRequested.TYPE, event.model, 0)


def chain(work: UnitOfWork) -> dict[str, Any]:
    """What ties later events to the request that caused them."""
    cause = work.cause.id if work.cause else None
    return {"correlation": work.correlationid, "causation": cause, "trace": work.traceparent}


async def declaration_of(session: AsyncSession, run: RunRow) -> Declaration:
    """The declaration that a run was asked for under; what was declared since does not concern it."""
    revision = await session.get_one(RevisionRow, (run.model, run.declared_revision))
    return DECLARATION.validate_python(revision.declaration)
