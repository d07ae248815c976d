"""HTTP for models that were made elsewhere: send one, and see what became of it."""

import asyncio
from collections.abc import AsyncIterable, Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, Field, ValidationError
from sqlmodel import col, select

from headrace.bus import Refused
from headrace.chassis import NotFound
from headrace.chassis.http import CallerDep, RuntimeDep, SessionDep, UnitOfWorkDep, provided, requires
from headrace.chassis.paging import Limit, NameCursor, Page, page_of
from headrace.code.scratch import scratch
from headrace.contracts import CancelRequested, ImportRequested, ObjectPlace, ObjectRef
from headrace.objects import ObjectStore
from headrace.trainer.api import CancelWish
from headrace.trainer.dispatch import STORE, Dispatcher
from headrace.trainer.domain import State
from headrace.trainer.formats.archive import check
from headrace.trainer.formats.base import BadArtifact
from headrace.trainer.formats.catalog import ARTIFACT_FORMATS
from headrace.trainer.import_handlers import cancel_import, import_object, request_import
from headrace.trainer.settings import TrainerSettings
from headrace.trainer.tables import DeclaredRow, ImportRow
from headrace.trainer.uploads import spooled

router = APIRouter(tags=["trainer"])
DispatcherDep = Annotated[Dispatcher, provided(Dispatcher)]
StoreDep = Annotated[ObjectStore, provided(ObjectStore)]
SettingsDep = Annotated[TrainerSettings, provided(TrainerSettings)]
Format = Annotated[str | None, Field(json_schema_extra={"enum": [*ARTIFACT_FORMATS.entries, None]})]
Data = Annotated[str | None, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}(@[1-9][0-9]{0,8})?$")]
LearnedFrom = Annotated[str | None, Field(pattern=r"^([a-z0-9][a-z0-9_-]{0,62}@[1-9][0-9]{0,8}|none)$")]
WRITE = [requires("trainer:write")]
READ = [requires("trainer:read")]


class Wishes(BaseModel):
    """How an artifact is to be read and judged, as in `request.import`."""

    model_config = {"extra": "forbid"}

    format: Format = None
    data: Data = None
    learned_from: LearnedFrom = None
    columns: list[str] | None = None
    outputs: dict[str, str] | None = None
    labels: list[bool | int | Annotated[float, Field(allow_inf_nan=False)] | str] | None = None
    reason: str | None = None


class ImportWish(Wishes):
    """A request for the import of an object, as in `request.import`."""

    object: ObjectPlace
    source_name: str | None = None


class ImportView(BaseModel):
    """An import as people see it."""

    import_id: str
    model: str
    dataset: str
    dataset_version: int | None
    declared_revision: int
    state: State
    source: dict[str, Any]
    source_name: str | None
    requested_by: str
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    attempt: int
    outcome: dict[str, Any] | None
    warnings: list[str]


@router.post("/models/{model}/imports", dependencies=WRITE, status_code=202)
async def ask(
    model: str, wish: ImportWish, work: UnitOfWorkDep, dispatcher: DispatcherDep, store: StoreDep
) -> ImportView:
    """Import an object that lies in the object store, as the event `request.import` does."""
    await _must_be_declared(work.session, model)
    event = ImportRequested.model_validate({"model": model, **wish.model_dump(exclude_none=True)})
    dispatcher.wake_after(work)
    return view(await import_object(event, work, store))


@router.post("/models/{model}/imports/files", dependencies=WRITE, status_code=202)
async def upload(
    model: str,
    request: Request,
    caller: CallerDep,
    runtime: RuntimeDep,
    dispatcher: DispatcherDep,
    store: StoreDep,
    settings: SettingsDep,
    wishes: Annotated[str, Query(max_length=100_000, description="The fields of a request, as JSON.")] = "{}",
    x_source_name: Annotated[str | None, Header(max_length=1000)] = None,
) -> ImportView:
    """Import what is sent: one file as the body, or a directory as a tar archive without links."""
    wanted = _parsed(wishes)
    async with runtime.session() as session:
        await _must_be_declared(session, model)
    runtime.must_answer(STORE)  # said before a byte is taken
    name = unquote(x_source_name).rpartition("/")[2] if x_source_name else None
    source = await _kept(request.stream(), store, settings)
    place = {"bucket": source.bucket, "key": source.key}
    told = {"model": model, "object": place, "source_name": name or "model", **wanted.model_dump(exclude_none=True)}
    async with runtime.work(caller.authid, traceparent=request.state.traceparent) as work:
        dispatcher.wake_after(work)
        return view(await request_import(ImportRequested.model_validate(told), work))


@router.get("/imports", dependencies=READ)
async def imports(
    session: SessionDep,
    model: str | None = None,
    state: State | None = None,
    cursor: NameCursor = "",
    limit: Limit = 100,
) -> Page[ImportView]:
    """Imports, the newest first."""
    found = select(ImportRow).order_by(col(ImportRow.asked_at).desc(), col(ImportRow.import_id).desc())
    found = found if model is None else found.where(ImportRow.model == model)
    found = found if state is None else found.where(ImportRow.state == state)
    if cursor:
        last = await _import(session, cursor)
        older, same = col(ImportRow.asked_at) < last.asked_at, col(ImportRow.asked_at) == last.asked_at
        found = found.where(older | (same & (col(ImportRow.import_id) < last.import_id)))
    rows = (await session.exec(found.limit(limit + 1))).all()
    return page_of(rows, limit, show=view, cursor=lambda row: row.import_id)


@router.get("/imports/{import_id}", dependencies=READ)
async def one_import(import_id: str, session: SessionDep) -> ImportView:
    """One import."""
    return view(await _import(session, import_id))


@router.post("/imports/{import_id}/cancel", dependencies=WRITE)
async def cancel(
    import_id: str, work: UnitOfWorkDep, dispatcher: DispatcherDep, wish: CancelWish | None = None
) -> ImportView:
    """End an import, as the event `request.cancel` does; one that is cancelled already stays as it is."""
    found = await _import(work.session, import_id)
    dispatcher.wake_after(work)
    reason = wish.reason if wish else None
    return view(await cancel_import(CancelRequested(model=found.model, run=import_id, reason=reason), work))


def view(row: ImportRow) -> ImportView:
    """A row as people see it, without what was printed on the way."""
    outcome = {name: value for name, value in (row.outcome or {}).items() if name not in ("log", "warnings")}
    told = row.model_dump(include=set(ImportView.model_fields) - {"outcome"})
    warnings: Sequence[str] = (row.outcome or {}).get("warnings", [])
    request = {"source": row.request["object"], "source_name": row.request.get("source_name")}
    return ImportView(**told, **request, outcome=outcome or None, warnings=list(warnings))


def _parsed(wishes: str) -> Wishes:
    try:
        return Wishes.model_validate_json(wishes)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'JSON'}: {each['msg']}" for each in error.errors()[:5])
        raise Refused(f"wishes: {told}") from error


async def _kept(chunks: AsyncIterable[bytes], store: ObjectStore, settings: TrainerSettings) -> ObjectRef:
    """What was sent, in the object store; raises Refused where it could never be imported."""
    with scratch("headrace-upload-") as folder:
        path = folder / "source"
        largest = settings.largest_import
        too_large = f"more than {largest:,} bytes were sent, the most that is imported"
        if not await spooled(chunks, path, largest, too_large):
            raise Refused("nothing was sent; send the file, or a directory as a tar archive, as the body")
        try:
            await asyncio.to_thread(check, path, largest)
        except BadArtifact as error:
            raise Refused(str(error)) from error
        return await store.put(settings.models_bucket, path)


async def _must_be_declared(session: SessionDep, model: str) -> None:
    if await session.get(DeclaredRow, model) is None:
        raise NotFound(f"no model named {model!r} is declared; declare it first with `headrace apply`")


async def _import(session: SessionDep, import_id: str) -> ImportRow:
    found = await session.get(ImportRow, import_id)
    if found is None:
        raise NotFound(f"no import {import_id!r}; GET /imports lists them")
    return found
