"""The monitor's rows, and the questions asked of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, LargeBinary
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.tables import UtcTime
from headrace.contracts import Declaration, TrainingCompleted
from headrace.monitor.domain import Clock

AT_ONCE = 500  # rows of one insert: databases limit the parameters of a statement


class DeclaredRow(SQLModel, table=True):
    """A model's newest declaration, and its clock of event time."""

    __tablename__ = "declared"

    model: str = Field(primary_key=True)
    revision: int
    declaration: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    newest: datetime | None = Field(default=None, sa_type=UtcTime)
    arrived: datetime | None = Field(default=None, sa_type=UtcTime)
    judged_until: datetime | None = Field(default=None, sa_type=UtcTime)
    windows: int = 0
    silent_since: datetime | None = Field(default=None, sa_type=UtcTime)

    def parsed(self) -> Declaration:
        """The declaration as a typed value."""
        return Declaration.model_validate(self.declaration)

    @property
    def clock(self) -> Clock | None:
        """Event time, once something was predicted."""
        return Clock(self.newest, self.arrived) if self.newest and self.arrived else None


class TrainedRow(SQLModel, table=True):
    """What a model learned from, by its digest: the reference for drift and quality."""

    __tablename__ = "trained"

    digest: str = Field(primary_key=True)
    model: str = Field(index=True)
    run: str
    completed: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))

    @property
    def event(self) -> TrainingCompleted:
        """The whole fact."""
        return TrainingCompleted.model_validate(self.completed, extra="ignore")


class LoggedRow(SQLModel, table=True):
    """One logged answer: who answered, when in event time, and the rows as compressed JSON."""

    __tablename__ = "logged"
    __table_args__ = (Index("ix_logged_time", "model", "time"),)

    prediction_id: str = Field(primary_key=True)
    first_row: int = Field(primary_key=True)
    route: str = Field(primary_key=True)
    model: str
    version: int
    digest: str
    time: datetime = Field(sa_type=UtcTime)
    rows: int
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class TruthRow(SQLModel, table=True):
    """What really happened to one predicted row; the newest report counts."""

    __tablename__ = "truths"
    __table_args__ = (Index("ix_truths_at", "model", "reported_at"),)

    prediction_id: str = Field(primary_key=True)
    row: int = Field(primary_key=True)
    model: str
    value: Any = Field(sa_column=Column(JSON, nullable=False))
    reported_at: datetime = Field(sa_type=UtcTime)


class WindowRow(SQLModel, table=True):
    """One judged window, as it was said."""

    __tablename__ = "windows"

    model: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    start: datetime = Field(sa_type=UtcTime)
    end: datetime = Field(sa_type=UtcTime)
    judged_at: datetime = Field(sa_type=UtcTime)
    figures: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class AskedRow(SQLModel, table=True):
    """When retraining was asked for last, per served version."""

    __tablename__ = "asked"

    model: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcTime)
    reason: str


class Records:
    """The rows of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def declared(self, model: str) -> DeclaredRow | None:
        """A declared model."""
        return await self.session.get(DeclaredRow, model)

    async def active(self) -> Sequence[DeclaredRow]:
        """The models of which something was predicted."""
        return (await self.session.exec(select(DeclaredRow).where(col(DeclaredRow.newest).is_not(None)))).all()

    async def logged_between(self, model: str, start: datetime, end: datetime) -> Sequence[LoggedRow]:
        """What was answered in a span of event time, shadows apart, oldest first."""
        query = select(LoggedRow).where(LoggedRow.model == model, LoggedRow.route != "shadow")
        query = query.where(col(LoggedRow.time) >= start, col(LoggedRow.time) < end)
        return (await self.session.exec(query.order_by(col(LoggedRow.time)))).all()

    async def first_after(self, model: str, moment: datetime | None) -> datetime | None:
        """The time of the oldest answer at or after a moment."""
        query = select(LoggedRow.time).where(LoggedRow.model == model)
        query = query.where(col(LoggedRow.time) >= moment) if moment else query
        return (await self.session.exec(query.order_by(col(LoggedRow.time)).limit(1))).first()

    async def truths_of(self, predictions: Sequence[str]) -> dict[tuple[str, int], Any]:
        """The known truths of some predictions, by id and row."""
        found: dict[tuple[str, int], Any] = {}
        for at in range(0, len(predictions), AT_ONCE):
            some = predictions[at : at + AT_ONCE]
            query = select(TruthRow.prediction_id, TruthRow.row, TruthRow.value)
            rows = await self.session.exec(query.where(col(TruthRow.prediction_id).in_(some)))
            found.update({(prediction, row): value for prediction, row, value in rows.all()})
        return found

    async def known_ids(self, predictions: Sequence[str]) -> set[str]:
        """Which predictions were logged here already."""
        found: set[str] = set()
        for at in range(0, len(predictions), AT_ONCE):
            query = select(LoggedRow.prediction_id).where(
                col(LoggedRow.prediction_id).in_(predictions[at : at + AT_ONCE])
            )
            found.update((await self.session.exec(query)).all())
        return found

    async def add_logged(self, rows: Sequence[dict[str, Any]]) -> None:
        """Insert answers; one that is there already stays as it is."""
        await self._upsert(LoggedRow, rows, update=())

    async def put_truths(self, rows: Sequence[dict[str, Any]]) -> None:
        """Insert truths; a newer report replaces an older one."""
        await self._upsert(TruthRow, rows, update=("value", "reported_at"))

    async def _upsert(self, table: type[SQLModel], rows: Sequence[dict[str, Any]], update: Sequence[str]) -> None:
        dialect = self.session.get_bind().dialect.name
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        keys = [column.name for column in table.__table__.primary_key]  # type: ignore[attr-defined]
        for at in range(0, len(rows), AT_ONCE):
            statement = insert(table).values(list(rows[at : at + AT_ONCE]))
            if update:
                changed = {name: statement.excluded[name] for name in update}
                statement = statement.on_conflict_do_update(index_elements=keys, set_=changed)
            else:
                statement = statement.on_conflict_do_nothing(index_elements=keys)
            await self.session.exec(statement)
