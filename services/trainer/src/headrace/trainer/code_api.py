"""HTTP about packages of code: push one, and see which versions there are."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from headrace.chassis import NotFound
from headrace.chassis.http import CallerDep, RuntimeDep, SessionDep, provided, requires
from headrace.chassis.paging import LARGEST, Limit, NameCursor, NumberCursor, Page, page_of
from headrace.contracts import ObjectRef
from headrace.trainer.dispatch import STORE
from headrace.trainer.packages import Origin, Packages
from headrace.trainer.tables import CodePackageRow, Repository

router = APIRouter(tags=["code"])
PackagesDep = Annotated[Packages, provided(Packages)]
PackagePath = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]
VersionPath = Annotated[int, Path(ge=1, le=LARGEST)]
TAR = {"application/x-tar": {"schema": {"type": "string", "contentMediaType": "application/x-tar"}}}


class MemberView(BaseModel):
    """One file of a package; size in bytes."""

    path: str
    size: int
    program: bool


class PackageView(BaseModel):
    """One version of a package; size in bytes, of all files together."""

    package: str
    version: int
    digest: str
    files: int
    size: int
    commit: str | None
    dirty: bool | None
    by: str
    at: datetime


class PackageDetail(PackageView):
    """One version of a package, with its files and where it lies."""

    members: list[MemberView]
    object: ObjectRef


@router.post(
    "/code/{package}/files",
    dependencies=[requires("trainer:write")],
    status_code=201,
    responses={200: {"model": PackageView, "description": "The newest version has these files already"}},
    openapi_extra={"requestBody": {"required": True, "content": TAR}},
)
async def push(
    package: PackagePath,
    request: Request,
    response: Response,
    caller: CallerDep,
    runtime: RuntimeDep,
    packages: PackagesDep,
    commit: Annotated[str | None, Query(pattern="^[0-9a-f]{40,64}$")] = None,
    dirty: bool | None = None,
) -> PackageView:
    """Take the files of a plain tar archive as the newest version of a package.

    Links, special files and paths that lead out of the package are refused. `commit` and `dirty` say where git was.
    """
    runtime.must_answer(STORE)
    origin = Origin(commit, dirty)
    pushed = await packages.push(runtime, package, request.stream(), origin, caller.authid, request.state.traceparent)
    response.status_code = 201 if pushed.created else 200
    return view(pushed.row)


@router.get("/code", dependencies=[requires("trainer:read")])
async def packages_(session: SessionDep, cursor: NameCursor = "", limit: Limit = 100) -> Page[PackageView]:
    """All packages by name, each by its newest version."""
    rows = await Repository(session).packages(cursor, limit + 1)
    return page_of(rows, limit, show=view, cursor=lambda row: row.package)


@router.get("/code/{package}/versions", dependencies=[requires("trainer:read")])
async def versions(
    package: PackagePath, session: SessionDep, cursor: NumberCursor = None, limit: Limit = 100
) -> Page[PackageView]:
    """The versions of a package, newest first."""
    rows = await Repository(session).package_versions(package, cursor, limit + 1)
    return page_of(rows, limit, show=view, cursor=lambda row: row.version)


@router.get("/code/{package}", dependencies=[requires("trainer:read")])
async def newest(package: PackagePath, session: SessionDep) -> PackageDetail:
    """The newest version of a package."""
    return detail(package, await Repository(session).package(package))


@router.get("/code/{package}/versions/{version}", dependencies=[requires("trainer:read")])
async def one(package: PackagePath, version: VersionPath, session: SessionDep) -> PackageDetail:
    """One version of a package."""
    return detail(f"{package}@{version}", await Repository(session).package(package, version))


def view(row: CodePackageRow) -> PackageView:
    """A version as people see it."""
    return PackageView.model_validate({**_shared(row), "files": len(row.files)})


def detail(called: str, row: CodePackageRow | None) -> PackageDetail:
    """A version with its files; raises NotFound."""
    if row is None:
        raise NotFound(f"there is no package of code {called!r}; `headrace code push NAME FOLDER` makes one")
    told = {**_shared(row), "files": len(row.files), "members": row.files}
    return PackageDetail.model_validate({**told, "object": ObjectRef(**row.object)})


def _shared(row: CodePackageRow) -> dict[str, Any]:
    return row.model_dump(include={*PackageView.model_fields} - {"files"})
