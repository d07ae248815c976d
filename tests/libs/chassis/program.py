"""A small service: it keeps a note of every training that is requested."""

import os
from datetime import timedelta
from pathlib import Path

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy import text

from headrace.bus import NotYet, Refused, UnitOfWork
from headrace.chassis import Conflict, NotFound, Runtime, Service, ServiceSettings, every, run
from headrace.chassis.http import CallerDep, SessionDep, UnitOfWorkDep, requires
from headrace.contracts import ContractError, TrainingQueued, TrainingRequested

MIGRATIONS = Path(__file__).with_name("migrations")
router = APIRouter()
ERRORS = {
    "refused": Refused("never"),
    "not_yet": NotYet("later", timedelta(seconds=7)),
    "not_found": NotFound("nothing there"),
    "conflict": Conflict("not now"),
    "contract": ContractError("data.rows: Input should be an integer"),
    "bug": ZeroDivisionError("the inside of the service"),
}


class Note(BaseModel):
    """What a caller writes down."""

    id: str
    pages: int = 1


@router.post("/notes", dependencies=[requires("trainer:write")])
async def write(note: Note, work: UnitOfWorkDep) -> dict[str, str]:
    """Keep a note, and say so."""
    await keep(work, note.id)
    work.emit(
        TrainingQueued(run=note.id, model="m", dataset="d", reason="r", waits_for="data", requested_by=work.actor)
    )
    return {"actor": work.actor}


@router.get("/notes", dependencies=[requires("trainer:read")])
async def read(session: SessionDep) -> list[str]:
    """All notes."""
    return [
        row.id for row in (await (await session.connection()).execute(text("SELECT id FROM note ORDER BY id"))).all()
    ]


@router.get("/notes/{id_}", dependencies=[requires("trainer:read")])
async def read_one(id_: str, session: SessionDep) -> str:
    """One note."""
    if id_ not in await read(session):
        raise NotFound(f"no note {id_!r}")
    return id_


@router.get("/who", dependencies=[requires("trainer:read")])
async def who(caller: CallerDep) -> str:
    """Who asks."""
    return caller.authid


@router.get("/fails/{how}", dependencies=[requires("trainer:read")])
async def fails(how: str, work: UnitOfWorkDep) -> None:
    """Fail after having written something."""
    await keep(work, f"half-done-{how}")
    raise ERRORS[how]


@router.post("/size", dependencies=[requires("trainer:write")])
async def size(request: Request) -> int:
    """How large the body was."""
    return len(await request.body())


async def keep(work: UnitOfWork, note: str) -> None:
    """Write a note."""
    await (await work.session.connection()).execute(text("INSERT INTO note (id) VALUES (:id)"), {"id": note})


async def on_training_requested(event: TrainingRequested, work: UnitOfWork) -> None:
    """Keep a note of it."""
    assert work.cause is not None
    await keep(work, work.cause.id)


LOOPS: list[str] = []


async def restless(runtime: Runtime) -> None:
    """A background loop that fails the first time."""
    LOOPS.append(runtime.service.name)
    if len(LOOPS) == 1:
        raise ValueError("once")


async def plans(_: Runtime) -> dict[str, str]:
    """What the environment says is due."""
    return {name: name for name in os.environ.get("PLANS", "").split(",") if name}


async def carry_out(runtime: Runtime, name: str) -> None:
    """Keep a note; one kind of item ends the process instead, as a segmentation fault would."""
    if name == "deadly":
        os._exit(9)
    async with runtime.session() as session:
        if name in await read(session):
            return
    async with runtime.work("service:trainer") as work:
        await keep(work, name)


def build(settings: ServiceSettings) -> Service:
    """Wire it."""
    return Service(
        name="trainer",
        settings=settings,
        subscriptions={TrainingRequested: on_training_requested},
        routes=[router],
        background=[restless, every(timedelta(milliseconds=50), plans, carry_out)],
        migrations=MIGRATIONS,
    )


def start() -> None:
    """Be the service, in a process of `headrace.testkit.preloaded`."""
    run(build(ServiceSettings()))
