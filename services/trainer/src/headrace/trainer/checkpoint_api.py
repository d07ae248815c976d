"""HTTP about the checkpoints of runs."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from headrace.chassis import NotFound
from headrace.chassis.http import SessionDep, requires
from headrace.chassis.paging import Limit, NameCursor, Page, page_of
from headrace.contracts import ObjectRef
from headrace.trainer.tables import Repository, RunRow

router = APIRouter(tags=["trainer"])


class CheckpointView(BaseModel):
    """A checkpoint of a run: its size in bytes, its metrics as its code said them, and since when it is gone."""

    name: str
    attempt: int
    step: int
    digest: str
    size: int
    metrics: dict[str, float]
    manifest: ObjectRef
    at: datetime
    removed_at: datetime | None


@router.get("/runs/{run}/checkpoints", dependencies=[requires("trainer:read")])
async def checkpoints(
    run: str, session: SessionDep, cursor: NameCursor = "", limit: Limit = 100
) -> Page[CheckpointView]:
    """What a run has made, the newest first: those that are kept, and those that were."""
    if await session.get(RunRow, run) is None:
        raise NotFound(f"no run {run!r}; GET /runs lists them")
    rows = await Repository(session).checkpoints(run, cursor, limit + 1)
    return page_of(rows, limit, show=lambda row: CheckpointView(**row.model_dump()), cursor=lambda row: row.name)
