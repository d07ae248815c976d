"""The rows of the deployer: the traffic of each model, and every rollout there was."""

from datetime import datetime

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.tables import Number, UtcTime
from headrace.bus.upsert import put_row
from headrace.contracts import RolloutStarted
from headrace.deployer.domain import Decision, Rollout, Traffic

_TRAFFIC = TypeAdapter(Traffic)
_ROLLOUT = TypeAdapter(Rollout)


class TrafficRow(SQLModel, table=True):
    """One row a model; `deadline` is when the clock may change something, so that timers survive a restart."""

    __tablename__ = "deployer_traffic"

    model: str = Field(primary_key=True)
    revision: int
    deadline: datetime | None = Field(default=None, sa_type=UtcTime, index=True)
    body: str


class RolloutRow(SQLModel, table=True):
    """One row a rollout, running or over, with the chain of events that it belongs to."""

    __tablename__ = "deployer_rollout"

    number: int | None = Field(default=None, sa_column=sa.Column(Number, primary_key=True, autoincrement=True))
    id: str = Field(unique=True)
    model: str = Field(index=True)
    state: str
    body: str
    correlationid: str | None = None
    traceparent: str | None = None
    actor: str

    @property
    def rollout(self) -> Rollout:
        """As the domain knows it."""
        return _ROLLOUT.validate_json(self.body)


class Repository:
    """Loads and saves traffic, within one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, model: str) -> Traffic:
        """The traffic of a model, empty where nothing is known; locked where several copies of the service run."""
        statement = select(TrafficRow.body).where(TrafficRow.model == model).with_for_update()
        body = (await self._session.exec(statement)).one_or_none()
        return _TRAFFIC.validate_json(body) if body else Traffic(model)

    async def save(self, decision: Decision, *, actor: str, correlationid: str | None, traceparent: str | None) -> None:
        """Keep what was decided. A new rollout takes the chain of the event that started it."""
        traffic = decision.traffic
        deadline = traffic.rollout.deadline if traffic.rollout else None
        body = _TRAFFIC.dump_json(traffic).decode()
        await put_row(
            self._session, TrafficRow(model=traffic.model, revision=traffic.revision, deadline=deadline, body=body)
        )
        begun = {fact.rollout for fact in decision.facts if isinstance(fact, RolloutStarted)}
        for rollout in (*decision.ended, *([traffic.rollout] if traffic.rollout else [])):
            row = None if rollout.id in begun else await self.row(rollout.id)
            if row is None:
                row = RolloutRow(
                    id=rollout.id,
                    model=traffic.model,
                    state="",
                    body="",
                    actor=actor,
                    correlationid=correlationid,
                    traceparent=traceparent,
                )
            row.state, row.body = rollout.phase.value, _ROLLOUT.dump_json(rollout).decode()
            self._session.add(row)

    async def row(self, rollout: str) -> RolloutRow | None:
        """One rollout by its id."""
        return (await self._session.exec(select(RolloutRow).where(RolloutRow.id == rollout))).one_or_none()

    async def due(self, now: datetime) -> list[tuple[str, int]]:
        """Models whose deadline has passed, with the revision of their traffic."""
        columns = (TrafficRow.model, TrafficRow.revision)
        due = select(*columns).where(col(TrafficRow.deadline) <= now).order_by(TrafficRow.model)
        return list((await self._session.exec(due)).all())

    async def all(self, after: str, limit: int) -> list[Traffic]:
        """Models in the order of their names."""
        statement = select(TrafficRow.body).where(TrafficRow.model > after).order_by(TrafficRow.model).limit(limit)
        return [_TRAFFIC.validate_json(body) for body in (await self._session.exec(statement)).all()]

    async def rollouts(self, model: str | None, before: int | None, limit: int) -> list[RolloutRow]:
        """Rollouts, newest first."""
        statement = select(RolloutRow).order_by(col(RolloutRow.number).desc()).limit(limit)
        if model is not None:
            statement = statement.where(RolloutRow.model == model)
        if before is not None:
            statement = statement.where(col(RolloutRow.number) < before)
        return list((await self._session.exec(statement)).all())
