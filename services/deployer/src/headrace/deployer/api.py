"""HTTP: who answers for which model, and what people do with rollouts: pause, promote, roll back."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel

from headrace.bus import UnitOfWork
from headrace.chassis import Conflict, NotFound
from headrace.chassis.http import SessionDep, UnitOfWorkDep, requires
from headrace.chassis.paging import Limit, NameCursor, NumberCursor, Page, page_of
from headrace.contracts import Evidence
from headrace.deployer.domain import Impossible, Rollout, Traffic
from headrace.deployer.handlers import steer
from headrace.deployer.tables import Repository, RolloutRow

router = APIRouter(tags=["rollouts"])
read, write = [requires("deployer:read")], [requires("deployer:write")]
ModelPath = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]


class RouteView(BaseModel):
    """One version's part in a model's traffic."""

    role: str
    version: int
    digest: str
    percent: int


class TrafficView(BaseModel):
    """Who answers for a model."""

    model: str
    revision: int
    routes: list[RouteView]
    rollout: str | None = None

    @classmethod
    def of(cls, traffic: Traffic) -> "TrafficView":
        """As people read it: without artifacts and signatures."""
        routes = [
            RouteView(role=r.role, version=r.version, digest=r.digest, percent=r.percent) for r in traffic.routes()
        ]
        rollout = traffic.rollout.id if traffic.rollout else None
        return cls(model=traffic.model, revision=traffic.revision, routes=routes, rollout=rollout)


class RolloutView(BaseModel):
    """One rollout, as far as it got."""

    id: str
    model: str
    version: int
    digest: str
    previous: int | None
    strategy: str
    state: str
    paused: bool
    steps: list[int]
    step: int
    percent: int
    started_at: datetime
    ended_at: datetime | None
    deadline: datetime | None
    reason: str | None
    waits: str | None
    evidence: Evidence
    replicas: list[str]

    @classmethod
    def of(cls, model: str, rollout: Rollout) -> "RolloutView":
        """As people read it."""
        return cls(
            id=rollout.id,
            model=model,
            version=rollout.target.version,
            digest=rollout.target.digest,
            previous=rollout.previous.version if rollout.previous else None,
            strategy=rollout.policy.strategy,
            state=rollout.phase.value,
            paused=rollout.paused,
            steps=list(rollout.policy.steps),
            step=rollout.step + 1,
            percent=rollout.share,
            started_at=rollout.started_at,
            ended_at=rollout.ended_at,
            deadline=rollout.deadline,
            reason=rollout.reason,
            waits=rollout.waits,
            evidence=rollout.seen.evidence(),
            replicas=sorted(rollout.alive),
        )


class Steer(BaseModel):
    """Why, and optionally which version is meant, so that a request that comes late steers nothing else."""

    reason: str | None = None
    version: int | None = None


@router.get("/routes", dependencies=read)
async def list_routes(session: SessionDep, cursor: NameCursor = "", limit: Limit = 100) -> Page[TrafficView]:
    """The route table of every model."""
    found = await Repository(session).all(cursor, limit + 1)
    return page_of(found, limit, show=TrafficView.of, cursor=lambda traffic: traffic.model)


@router.get("/routes/{model}", dependencies=read)
async def show_routes(model: ModelPath, session: SessionDep) -> TrafficView:
    """The route table of one model."""
    return TrafficView.of(_known(await Repository(session).get(model)))


@router.get("/rollouts", dependencies=read)
async def list_rollouts(
    session: SessionDep, model: str | None = None, cursor: NumberCursor = None, limit: Limit = 100
) -> Page[RolloutView]:
    """Rollouts, newest first, of one model or of all."""
    rows = await Repository(session).rollouts(model, cursor, limit + 1)
    return page_of(rows, limit, show=_view, cursor=lambda row: row.number)


@router.get("/rollouts/{rollout}", dependencies=read)
async def show_rollout(rollout: str, session: SessionDep) -> RolloutView:
    """One rollout."""
    row = await Repository(session).row(rollout)
    if row is None:
        raise NotFound(f"no rollout {rollout!r}; GET /rollouts lists them")
    return _view(row)


@router.post("/models/{model}/rollback", dependencies=write)
async def rollback(model: ModelPath, work: UnitOfWorkDep, body: Steer | None = None) -> TrafficView:
    """End the running rollout, or give the traffic back to the version that served before."""
    return await _steer(work, model, "rollback", body)


@router.post("/models/{model}/pause", dependencies=write)
async def pause(model: ModelPath, work: UnitOfWorkDep, body: Steer | None = None) -> TrafficView:
    """Keep the running rollout where it is."""
    return await _steer(work, model, "pause", body)


@router.post("/models/{model}/resume", dependencies=write)
async def resume(model: ModelPath, work: UnitOfWorkDep, body: Steer | None = None) -> TrafficView:
    """Let a paused rollout go on; its present step is baked anew."""
    return await _steer(work, model, "resume", body)


@router.post("/models/{model}/promote", dependencies=write)
async def promote(model: ModelPath, work: UnitOfWorkDep, body: Steer | None = None) -> TrafficView:
    """Give the new version all traffic now."""
    return await _steer(work, model, "promote", body)


async def _steer(work: UnitOfWork, model: str, action: str, body: Steer | None) -> TrafficView:
    _known(await Repository(work.session).get(model))
    asked = body or Steer()
    try:
        return TrafficView.of(await steer(work, model, action, version=asked.version, reason=asked.reason))
    except Impossible as error:
        raise Conflict(str(error)) from error


def _known(traffic: Traffic) -> Traffic:
    if traffic.revision == 0:
        raise NotFound(f"no version of model {traffic.model!r} was ever rolled out; GET /routes lists the models")
    return traffic


def _view(row: RolloutRow) -> RolloutView:
    return RolloutView.of(row.model, row.rollout)
