"""What is heard about imports: load, decide, save, emit."""

import numpy as np
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus import Refused, UnitOfWork
from headrace.contracts import (
    OUTSIDER,
    CancelRequested,
    DatasetIngested,
    Declaration,
    ImportRequested,
    derive_id,
)
from headrace.contracts.errors import choice_problem
from headrace.frameworks.catalog import not_installed
from headrace.objects import ObjectStore
from headrace.tasks import task_named
from headrace.trainer import handlers
from headrace.trainer.domain import State
from headrace.trainer.formats.catalog import ARTIFACT_FORMATS, FORMATS
from headrace.trainer.handlers import DECLARATION, chain, keep, must_be_its_own, refusing
from headrace.trainer.imports import DatasetPin, Import
from headrace.trainer.tables import DatasetVersionRow, DeclaredRow, ImportRow, Repository


async def on_import_requested(event: ImportRequested, work: UnitOfWork, *, store: ObjectStore) -> None:
    """Queue an import of an object that is there."""
    await import_object(event, work, store)


async def import_object(event: ImportRequested, work: UnitOfWork, store: ObjectStore) -> ImportRow:
    """Queue an import of an object that is there; answers with it, for who asks over HTTP."""
    place = event.object
    if not await store.may_be_there(place.bucket, place.key):
        raise Refused(f"there is no object {place.key!r} in bucket {place.bucket!r} that trainer may read")
    return await request_import(event, work)


async def on_dataset_ingested(event: DatasetIngested, work: UnitOfWork) -> None:
    """New data: what runs do, and the imports that waited for them."""
    await handlers.take_new_data(event, work)
    await release_imports(work)


async def on_cancel_requested(event: CancelRequested, work: UnitOfWork) -> None:
    """End a run or an import; who is known by a connection alone ends what it asked for itself."""
    wish = await work.session.get(ImportRow, event.run)
    if wish is None:
        await handlers.cancel_asked_run(event, work)
        return
    must_be_its_own(event.run, wish.requested_by, work, "cancel")
    await cancel_import(event, work)


async def cancel_import(event: CancelRequested, work: UnitOfWork) -> ImportRow:
    """End an import now; one that is cancelled already stays as it is."""
    row = await work.session.get(ImportRow, event.run)
    if row is None or row.model != event.model:
        raise Refused(f"model {event.model!r} has no import {event.run!r}; GET /imports?model={event.model} lists them")
    with refusing():
        decision = row.as_import.cancelled(event.reason or "cancelled on request", work.actor, work.now)
    keep(work, row, decision)
    return row


async def request_import(event: ImportRequested, work: UnitOfWork) -> ImportRow:
    """Queue an import of a model that is declared; answers with it, for who asks over HTTP."""
    declared = await work.session.get(DeclaredRow, event.model)
    if declared is None:
        raise Refused(f"no model named {event.model!r} is declared; declare it first with `headrace apply`")
    declaration = DECLARATION.validate_python(declared.declaration)
    _must_be_asked_well(event, declaration, work.actor)
    told = event.model_copy(update={"source_name": event.source_name or event.object.key.rpartition("/")[2]})
    data = DatasetPin.parse(event.data or declaration.data.dataset)
    wish = Import(
        import_id=derive_id(work.root, ImportRequested.TYPE, event.model, 0),
        model=event.model,
        dataset=data.dataset,
        pinned=data.version,
        request=told.model_dump(mode="json", exclude_none=True),
        requested_by=work.actor,
        declared_revision=declared.revision,
    )
    decision = wish.queued("capacity" if await _has_data(work.session, wish) else "data")
    row = ImportRow(**vars(decision.after), asked_at=work.now, **chain(work))
    keep(work, row, decision)
    row.correlation = work.correlationid
    return row


async def release_imports(work: UnitOfWork) -> None:
    """Let the imports go whose data are there now."""
    for row in await Repository(work.session).imports_in(State.WAITING):
        if await _has_data(work.session, row.as_import):
            keep(work, row, row.as_import.queued("capacity"))


async def _has_data(session: AsyncSession, wish: Import) -> bool:
    """Whether what judges it, and what it is said to have learned from, are known here."""
    pins = [DatasetPin(wish.dataset, wish.pinned), *([wish.learned] if wish.learned else [])]
    return all([await version_for(session, pin) is not None for pin in pins])


async def version_for(session: AsyncSession, pin: DatasetPin) -> DatasetVersionRow | None:
    """The version that is meant, or the newest one."""
    if pin.version is not None:
        return await session.get(DatasetVersionRow, (pin.dataset, pin.version))
    return await Repository(session).newest_version(pin.dataset)


def _must_be_asked_well(event: ImportRequested, declaration: Declaration, actor: str) -> None:
    """Raise Refused, or ContractError, where what is asked for could never be done."""
    if event.format is not None:
        needed = FORMATS[ARTIFACT_FORMATS.known(event.format, "format")].framework
        if needed is not None and (reason := not_installed(needed)):
            raise Refused(f"format {event.format}: {reason}")
    if actor == OUTSIDER and declaration.approval.needed > 0:
        raise Refused(f"{declaration.name} needs approvals, and {actor} is nobody in particular; import it over HTTP")
    if declaration.data.target in (event.columns or ()):
        raise Refused(f"columns names the target {declaration.data.target!r}; a model cannot be told its answer")
    known = _outputs_of(declaration)
    for name in event.outputs or {}:
        if name not in known:
            raise Refused(f"outputs: {choice_problem(name, known)}")


def _outputs_of(declaration: Declaration) -> list[str]:
    """The names of what the task gives."""
    task = task_named(declaration.task)
    values, options = task.example(np.linspace(-2.0, 2.0, 60)), declaration.task_options or {}
    target = task.learn(values, declaration.data.target, None, options)
    return [tensor.name for tensor in target.outputs()]
