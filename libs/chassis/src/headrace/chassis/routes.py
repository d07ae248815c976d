"""Routes that every service has: health, metrics, and the dead letters."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from headrace.bus.dead_letters import drop, listed, replay, shown
from headrace.bus.tables import DeadLetter
from headrace.chassis import metrics
from headrace.chassis.auth import Gate
from headrace.chassis.errors import NotFound
from headrace.chassis.health import degraded, problems
from headrace.chassis.http import GateDep, RuntimeDep, SessionDep, UnitOfWorkDep, requires
from headrace.chassis.key_use import last_used
from headrace.chassis.keys import StoredKey
from headrace.chassis.paging import Limit, NameCursor, Page, page_of

health = APIRouter(tags=["health"])
dead_letters = APIRouter(prefix="/dead-letters", tags=["dead-letters"])
keys = APIRouter(prefix="/keys", tags=["keys"])


class DeadLetterView(BaseModel):
    """One message that could not be handled."""

    id: str
    type: str
    key: str
    subject: str
    stream: str
    seq: int
    reason: str
    attempts: int
    set_aside_at: datetime
    replayed_at: datetime | None = None


class DeadLetterDetail(DeadLetterView):
    """The same with what it carried, and what to do."""

    headers: dict[str, str]
    body: str
    advice: str


class Replayed(BaseModel):
    """The id under which a dead letter was said again."""

    id: str
    replayed_as: str


class KeyView(BaseModel):
    """One API key: whose it is and what it may; never the key. `last_used` is by this service alone."""

    id: str
    name: str
    scopes: list[str]
    created: datetime | None
    expires: datetime | None
    last_used: datetime | None


@health.get("/live")
async def live() -> dict[str, str]:
    """The process runs."""
    return {"status": "alive"}


@health.get("/ready")
async def ready(runtime: RuntimeDep, gate: GateDep, response: Response) -> dict[str, Any]:
    """Whether the service can do its work: 503 with the reasons where it cannot.

    `degraded` with 200 names single pieces of work that fail or were set aside, while everything else goes on.
    """
    found, single = {**await problems(runtime), **gate.problems()}, await degraded(runtime)
    response.status_code = 503 if found else 200
    status = "not ready" if found else "degraded" if single else "ready"
    return {"status": status, "problems": found, "degraded": single}


@health.get("/metrics")
async def prometheus(runtime: RuntimeDep) -> Response:
    """Figures for Prometheus."""
    with suppress(Exception):  # without a database the other figures are all the more wanted
        metrics.UNSENT.set(await runtime.relay.unsent())
    page, kind = metrics.exposition()
    return Response(page, media_type=kind)


@keys.get("", dependencies=[requires("keys:read")])
async def list_keys(session: SessionDep, gate: GateDep, cursor: NameCursor = "", limit: Limit = 100) -> Page[KeyView]:
    """Every API key, by id, and when it was last presented to this service."""
    return key_page(gate, await last_used(session, gate), cursor, limit)


def key_page(gate: Gate, used: Mapping[str, datetime], cursor: str, limit: int) -> Page[KeyView]:
    """A page of the keys, by id."""
    known = sorted((key for key in gate.stored().values() if key.id > cursor), key=lambda key: key.id)
    return page_of(known, limit, show=lambda key: _key_view(key, used.get(key.id)), cursor=lambda key: key.id)


def _key_view(key: StoredKey, last_used: datetime | None) -> KeyView:
    return KeyView(
        id=key.id,
        name=key.name,
        scopes=list(key.scopes),
        created=key.created,
        expires=key.expires,
        last_used=last_used,
    )


@dead_letters.get("", dependencies=[requires("dead-letters:read")])
async def list_dead_letters(session: SessionDep, cursor: NameCursor = "", limit: Limit = 100) -> Page[DeadLetterView]:
    """What waits for a person."""
    rows = await listed(session, after=cursor, limit=limit + 1)
    return page_of(rows, limit, show=lambda row: DeadLetterView(**row.as_document()), cursor=lambda row: row.id)


@dead_letters.get("/{id_}", dependencies=[requires("dead-letters:read")])
async def show_dead_letter(id_: str, session: SessionDep) -> DeadLetterDetail:
    """One of them, whole."""
    return DeadLetterDetail(**shown(_known(await session.get(DeadLetter, id_), id_)))


@dead_letters.post("/{id_}/replay", dependencies=[requires("dead-letters:write")])
async def replay_dead_letter(id_: str, work: UnitOfWorkDep) -> Replayed:
    """Say it again to this service, under a new id whose cause is the old one."""
    row = _known(await work.session.get(DeadLetter, id_), id_)
    return Replayed(id=id_, replayed_as=await replay(work, row))


@dead_letters.delete("/{id_}", status_code=204, dependencies=[requires("dead-letters:write")])
async def drop_dead_letter(id_: str, work: UnitOfWorkDep) -> None:
    """Give it up."""
    drop(work, _known(await work.session.get(DeadLetter, id_), id_))


def _known(row: DeadLetter | None, id_: str) -> DeadLetter:
    if row is None or row.dropped_at is not None or row.replayed_at is not None:
        raise NotFound(f"no dead letter has the id {id_!r}; GET /dead-letters lists what is there")
    return row
