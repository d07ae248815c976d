"""HTTP: a file in, and what is known of datasets out."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path as FilePath
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from headrace.chassis import NotFound
from headrace.chassis.http import CallerDep, RuntimeDep, SessionDep, UnitOfWorkDep, provided, requires
from headrace.chassis.paging import Limit, NameCursor, NumberCursor, Page, page_of
from headrace.chassis.problems import problem
from headrace.contracts import ColumnRule, Contract, Dialect, ObjectRef
from headrace.ingest.domain import INGEST_MODES
from headrace.ingest.handlers import set_contract
from headrace.ingest.inflate import inflated
from headrace.ingest.multipart import FormFile, is_multipart
from headrace.ingest.pipeline import STORE, Answer, Ingestion, Task, spool
from headrace.ingest.sources import FILE_FORMATS
from headrace.ingest.tables import ContractRow, JobRow, Repository, VersionRow, parts_in

router = APIRouter(tags=["datasets"])
read = [requires("ingest:read")]
write = [requires("ingest:write")]

DatasetPath = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
IngestionDep = Annotated[Ingestion, provided(Ingestion)]


class Ingested(BaseModel):
    """A file became, or already was, part of a dataset version."""

    dataset: str
    version: int
    digest: str
    rows: int
    added_rows: int
    rejected: int
    sha256: str
    created: bool
    warnings: list[dict[str, Any]]


class VersionView(BaseModel):
    """What every view of a dataset version says."""

    dataset: str
    version: int
    digest: str
    mode: str
    rows: int
    added_rows: int
    parts: int
    by: str
    at: datetime


class DatasetVersion(VersionView):
    """One dataset version; /datasets/{dataset}/versions/{version}/parts and its manifest list its parts."""

    part: dict[str, Any]
    manifest: dict[str, Any]
    columns: list[dict[str, Any]]
    contract: list[dict[str, Any]]
    warnings: list[dict[str, Any]]


class VersionSummary(VersionView):
    """One dataset version in a listing; columns and contract are at /datasets/{dataset}/versions/{version}."""

    warnings: int


class VersionPart(BaseModel):
    """One part of a dataset version: an ingested file, and the version that it came with."""

    version: int
    rows: int
    source_name: str | None
    object: dict[str, Any]
    source: dict[str, Any]
    profile: dict[str, Any]
    ingested_at: datetime
    by: str


class DatasetSummary(BaseModel):
    """A dataset by its newest version."""

    dataset: str
    version: int
    digest: str
    rows: int
    parts: int
    at: datetime


class Rejection(BaseModel):
    """A file that broke the contract."""

    id: int
    dataset: str
    reason: str
    source: dict[str, Any] | None
    source_name: str | None
    rows: int
    violations: list[dict[str, Any]]
    by: str
    at: datetime


class ContractView(BaseModel):
    """The contract in force, and where it came from."""

    dataset: str
    revision: int
    columns: list[ColumnRule]
    missing: list[str]
    formats: dict[str, str]
    dialect: Dialect
    origin: str
    by: str
    at: datetime


class JobView(BaseModel):
    """How a request.ingest fares; its id is that of the request's event."""

    id: str
    dataset: str
    state: str
    attempts: int
    answer: dict[str, Any] | None


@router.post(
    "/datasets/{dataset}/files",
    dependencies=write,
    status_code=201,
    response_model=Ingested,
    responses={200: {"model": Ingested, "description": "The newest version has this file already"}},
)
async def upload(
    dataset: DatasetPath,
    request: Request,
    response: Response,
    caller: CallerDep,
    runtime: RuntimeDep,
    ingestion: IngestionDep,
    mode: Annotated[str, Query(json_schema_extra={"enum": list(INGEST_MODES.entries)})] = "append",
    file_format: Annotated[
        str | None, Query(alias="format", json_schema_extra={"enum": list(FILE_FORMATS.entries)})
    ] = None,
    x_source_name: Annotated[str | None, Header(max_length=1000)] = None,
) -> Any:
    """Take a file, CSV or Parquet, gzip or plain, as the body or as the one file of a form; accept it whole or not.

    `warnings` say what was taken but may not be what was meant.
    """
    mode = INGEST_MODES.known(mode, "mode")
    file_format = FILE_FORMATS.known(file_format, "format") if file_format is not None else None
    runtime.must_answer(STORE)  # said before a byte of the file is taken
    content_type = request.headers.get("content-type")
    sent = inflated(request.stream(), request.headers.get("content-encoding"))
    form = FormFile(sent, str(content_type)) if is_multipart(content_type) else None
    with ingestion.workspace() as folder:
        file = await spool(
            form if form is not None else sent, FilePath(folder, "source"), ingestion.options.limits.file
        )
        name = unquote(x_source_name) if x_source_name else form.name if form else None
        task = Task(
            dataset=dataset,
            mode=mode,
            actor=caller.authid,
            format=file_format,
            content_type=form.content_type if form else content_type,
            source_name=name,
            traceparent=request.state.traceparent,
        )
        answer = await ingestion.ingest(runtime, task, file)
    if answer.reason is not None:
        return _refusal(answer)
    response.status_code = 201 if answer.created else 200
    return Ingested(**{name: value for name, value in asdict(answer).items() if name in Ingested.model_fields})


def _refusal(answer: Answer) -> JSONResponse:
    """Problem details with every violation: the uploader sees what dataset.rejected says."""
    return problem(
        422,
        str(answer.reason),
        dataset=answer.dataset,
        rows=answer.rows,
        rejected=answer.rejected,
        sha256=answer.sha256,
        violations=answer.violations,
    )


@router.get("/datasets", dependencies=read)
async def datasets(session: SessionDep, cursor: NameCursor = "", limit: Limit = 100) -> Page[DatasetSummary]:
    """All datasets by name, with the newest version of each."""
    rows = await Repository(session).datasets(cursor, limit + 1)
    return page_of(rows, limit, show=_dataset_summary, cursor=lambda row: row.dataset)


@router.get("/datasets/{dataset}", dependencies=read)
async def dataset_newest(dataset: DatasetPath, session: SessionDep) -> DatasetVersion:
    """The newest version of a dataset."""
    return _version(dataset, await Repository(session).newest(dataset))


@router.get("/datasets/{dataset}/versions", dependencies=read)
async def versions(
    dataset: DatasetPath, session: SessionDep, cursor: NumberCursor = None, limit: Limit = 100
) -> Page[VersionSummary]:
    """Versions of a dataset, newest first."""
    rows = await Repository(session).versions(dataset, cursor, limit + 1)
    return page_of(rows, limit, show=_version_summary, cursor=lambda row: row.version)


@router.get("/datasets/{dataset}/versions/{version}", dependencies=read)
async def version(dataset: DatasetPath, version: int, session: SessionDep) -> DatasetVersion:
    """One version of a dataset."""
    return _version(f"{dataset}/{version}", await Repository(session).version(dataset, version))


@router.get("/datasets/{dataset}/versions/{version}/parts", dependencies=read)
async def parts(
    dataset: DatasetPath, version: int, session: SessionDep, cursor: NumberCursor = None, limit: Limit = 100
) -> Page[VersionPart]:
    """The parts of a version, oldest first: the files that it consists of."""
    repository = Repository(session)
    row = _known(f"{dataset}/{version}", await repository.version(dataset, version))
    rows = await repository.parts(row, cursor or 0, limit + 1)
    return page_of(rows, limit, show=_part, cursor=lambda each: each.version)


@router.get("/datasets/{dataset}/versions/{version}/profile", dependencies=read)
async def profile(dataset: DatasetPath, version: int, ingestion: IngestionDep, session: SessionDep) -> Response:
    """What the columns of a version hold: counts, extremes, moments, quantiles, frequent values."""
    row = _known(f"{dataset}/{version}", await Repository(session).version(dataset, version))
    document = await ingestion.manifests.profile(ObjectRef(**row.manifest))
    return Response(document, media_type="application/json")


@router.get("/datasets/{dataset}/rejections", dependencies=read)
async def rejections(
    dataset: DatasetPath, session: SessionDep, cursor: NumberCursor = None, limit: Limit = 100
) -> Page[Rejection]:
    """Rejected files of a dataset, newest first, each with its violations."""
    rows = await Repository(session).rejections(dataset, cursor, limit + 1)
    return page_of(rows, limit, show=lambda row: Rejection(**row.model_dump()), cursor=lambda row: row.id)


@router.get("/datasets/{dataset}/contract", dependencies=read)
async def contract(dataset: DatasetPath, session: SessionDep) -> ContractView:
    """The contract in force."""
    row = await Repository(session).contract(dataset)
    if row is None:
        raise NotFound(f"dataset {dataset!r} has no contract yet; the first file makes one, or PUT one here")
    return _contract(row)


@router.put("/datasets/{dataset}/contract", dependencies=write)
async def put_contract(dataset: DatasetPath, contract: Contract, work: UnitOfWorkDep) -> ContractView:
    """Set the contract for files that come from now on; without columns, the next file makes them."""
    repository = Repository(work.session)
    return _contract(await set_contract(repository, dataset, contract, origin="put", by=work.actor, at=work.now))


@router.get("/jobs/{job}", dependencies=read)
async def job(job: str, session: SessionDep) -> JobView:
    """What became of a request.ingest."""
    row = await session.get(JobRow, job)
    if row is None:
        raise NotFound(f"there is no job {job!r}; a job has the id of its request's event")
    return JobView(id=row.id, dataset=row.dataset, state=row.state, attempts=row.attempts, answer=row.answer)


def _version(called: str, row: VersionRow | None) -> DatasetVersion:
    row = _known(called, row)
    return DatasetVersion(**row.model_dump(), parts=parts_in(row))


def _dataset_summary(row: VersionRow) -> DatasetSummary:
    return DatasetSummary(**row.model_dump(include={*DatasetSummary.model_fields}), parts=parts_in(row))


def _version_summary(row: VersionRow) -> VersionSummary:
    return VersionSummary(**row.model_dump(exclude={"warnings"}), parts=parts_in(row), warnings=len(row.warnings))


def _part(row: VersionRow) -> VersionPart:
    return VersionPart(**{"source_name": None, **row.part}, version=row.version, by=row.by)


def _known(called: str, row: VersionRow | None) -> VersionRow:
    if row is None:
        raise NotFound(f"there is no dataset {called!r}")
    return row


def _contract(row: ContractRow) -> ContractView:
    fields = row.model_dump()
    rules = [ColumnRule(**rule) for rule in fields.pop("rules")]
    return ContractView(columns=rules, **fields.pop("wording"), **fields)
