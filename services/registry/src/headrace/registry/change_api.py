"""HTTP: the changes that wait for people, and what people say of them."""

from fastapi import APIRouter

from headrace.chassis import NotFound
from headrace.chassis.http import SessionDep, UnitOfWorkDep, requires
from headrace.chassis.paging import Limit, NameCursor, Page, page_of
from headrace.registry.decisions import decide_change, withdraw
from headrace.registry.tables import Repository
from headrace.registry.views import ChangeView, Comment, change_view

router = APIRouter(tags=["changes"])
READ, WRITE, APPROVE = requires("registry:read"), requires("registry:write"), requires("registry:approve")


@router.get("/changes", dependencies=[READ])
async def list_all_changes(
    session: SessionDep, state: str | None = "pending", cursor: NameCursor = "", limit: Limit = 100
) -> Page[ChangeView]:
    """Changes of every model, newest first; those that wait, unless another state is asked for."""
    return await _page(Repository(session), None, state, cursor, limit)


@router.get("/models/{name}/changes", dependencies=[READ])
async def list_changes(
    name: str, session: SessionDep, state: str | None = None, cursor: NameCursor = "", limit: Limit = 100
) -> Page[ChangeView]:
    """Changes of one model that waited for people, newest first."""
    return await _page(Repository(session), name, state, cursor, limit)


@router.get("/models/{name}/changes/{change}", dependencies=[READ])
async def get_change(name: str, change: str, session: SessionDep) -> ChangeView:
    """One change, with what people said of it."""
    row = await Repository(session).change(change)
    if row is None or row.model != name:
        raise NotFound(f"{name} has no change {change!r}; GET /models/{name}/changes lists them")
    return await change_view(Repository(session), row)


@router.post("/models/{name}/changes/{change}/approve", dependencies=[APPROVE])
async def approve_change(name: str, change: str, work: UnitOfWorkDep, decision: Comment) -> ChangeView:
    """Say yes to a change that waits; never one's own. With enough approvals it takes effect."""
    row = await decide_change(work, name, change, "approve", decision.comment)
    return await change_view(Repository(work.session), row)


@router.post("/models/{name}/changes/{change}/reject", dependencies=[APPROVE])
async def reject_change(name: str, change: str, work: UnitOfWorkDep, decision: Comment) -> ChangeView:
    """Say no to a change that waits."""
    row = await decide_change(work, name, change, "reject", decision.comment)
    return await change_view(Repository(work.session), row)


@router.post("/models/{name}/changes/{change}/withdraw", dependencies=[WRITE])
async def withdraw_change(name: str, change: str, work: UnitOfWorkDep) -> ChangeView:
    """Take back a change that one has proposed oneself."""
    return await change_view(Repository(work.session), await withdraw(work, name, change))


async def _page(
    repository: Repository, model: str | None, state: str | None, cursor: str, limit: int
) -> Page[ChangeView]:
    after = await repository.change(cursor) if cursor else None
    if cursor and after is None:
        raise NotFound(f"there is no change {cursor!r} to go on from; `next_cursor` of the page before names one")
    rows = await repository.changes(model, state, after, limit + 1)
    views = {row.id: await change_view(repository, row) for row in rows[:limit]}
    return page_of(rows, limit, show=lambda row: views[row.id], cursor=lambda row: row.id)
