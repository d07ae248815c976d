"""HTTP: the changes that wait for people, and what people say of them."""

from typing import Annotated

from fastapi import APIRouter, Query

from headrace.chassis import NotFound
from headrace.chassis.http import Page, SessionDep, UnitOfWorkDep, requires
from headrace.registry.decisions import decide_change, withdraw
from headrace.registry.tables import Registry
from headrace.registry.views import ChangeView, Comment, change_view

router = APIRouter(tags=["changes"])
READ, WRITE, APPROVE = requires("registry:read"), requires("registry:write"), requires("registry:approve")
Limit = Annotated[int, Query(ge=1, le=500)]


@router.get("/changes", dependencies=[READ])
async def list_all_changes(
    session: SessionDep, state: str | None = "pending", cursor: str | None = None, limit: Limit = 100
) -> Page[ChangeView]:
    """Changes of every model, newest first; those that wait, unless another state is asked for."""
    return await _page(Registry(session), None, state, cursor, limit)


@router.get("/models/{name}/changes", dependencies=[READ])
async def list_changes(
    name: str, session: SessionDep, state: str | None = None, cursor: str | None = None, limit: Limit = 100
) -> Page[ChangeView]:
    """Changes of one model that waited for people, newest first."""
    return await _page(Registry(session), name, state, cursor, limit)


@router.get("/models/{name}/changes/{change}", dependencies=[READ])
async def get_change(name: str, change: str, session: SessionDep) -> ChangeView:
    """One change, with what people said of it."""
    row = await Registry(session).change(change)
    if row is None or row.model != name:
        raise NotFound(f"{name} has no change {change!r}; GET /models/{name}/changes lists them")
    return await change_view(Registry(session), row)


@router.post("/models/{name}/changes/{change}/approve", dependencies=[APPROVE])
async def approve_change(name: str, change: str, work: UnitOfWorkDep, decision: Comment) -> ChangeView:
    """Say yes to a change that waits; never one's own. With enough approvals it takes effect."""
    row = await decide_change(work, name, change, "approve", decision.comment)
    return await change_view(Registry(work.session), row)


@router.post("/models/{name}/changes/{change}/reject", dependencies=[APPROVE])
async def reject_change(name: str, change: str, work: UnitOfWorkDep, decision: Comment) -> ChangeView:
    """Say no to a change that waits."""
    row = await decide_change(work, name, change, "reject", decision.comment)
    return await change_view(Registry(work.session), row)


@router.post("/models/{name}/changes/{change}/withdraw", dependencies=[WRITE])
async def withdraw_change(name: str, change: str, work: UnitOfWorkDep) -> ChangeView:
    """Take back a change that one has proposed oneself."""
    return await change_view(Registry(work.session), await withdraw(work, name, change))


async def _page(
    registry: Registry, model: str | None, state: str | None, cursor: str | None, limit: int
) -> Page[ChangeView]:
    after = await registry.change(cursor) if cursor else None
    rows = await registry.changes(model, state, after, limit)
    items = [await change_view(registry, row) for row in rows]
    return Page(items=items, next_cursor=rows[-1].id if len(rows) == limit else None)
