"""The monitor's rows, and the questions asked of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, LargeBinary, func, tuple_, update
from sqlalchemy.orm import defer
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.tables import LoopItem, UtcTime
from headrace.bus.upsert import put_rows, upsert
from headrace.contracts import Declaration, VersionRegistered
from headrace.monitor.domain import Clock
from headrace.monitor.truth import Answer

AT_ONCE = 500  # rows of one insert: databases limit the parameters of a statement


class DeclaredRow(SQLModel, table=True):
    """A model's newest declaration, its clock of event time, and how far it is judged."""

    __tablename__ = "declared"

    model: str = Field(primary_key=True)
    revision: int
    declaration: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    newest: datetime | None = Field(default=None, sa_type=UtcTime)
    arrived: datetime | None = Field(default=None, sa_type=UtcTime)
    judged_until: datetime | None = Field(default=None, sa_type=UtcTime)
    windows: int = 0
    silent_since: datetime | None = Field(default=None, sa_type=UtcTime)
    late_predictions: int = 0
    late_truths: int = 0

    def parsed(self) -> Declaration:
        """The declaration as a typed value."""
        return Declaration.model_validate(self.declaration)

    @property
    def clock(self) -> Clock | None:
        """Event time, once something was predicted."""
        return Clock(self.newest, self.arrived) if self.newest and self.arrived else None


class RegisteredRow(SQLModel, table=True):
    """What is known of a version: the reference for drift and quality, and the labels it knows."""

    __tablename__ = "registered"

    model: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    digest: str
    registered: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))

    @property
    def facts(self) -> VersionRegistered:
        """Everything that was said of it when it was registered."""
        return VersionRegistered.model_validate(self.registered, extra="ignore")


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
    """What really happened to one predicted row; the newest report counts. Each model has truths of its own."""

    __tablename__ = "truths"
    __table_args__ = (Index("ix_truths_at", "model", "reported_at"),)

    model: str = Field(primary_key=True)
    prediction_id: str = Field(primary_key=True)
    row: int = Field(primary_key=True)
    value: Any = Field(sa_column=Column(JSON, nullable=False))
    reported_at: datetime = Field(sa_type=UtcTime)


class DeliveryRow(SQLModel, table=True):
    """An alert that somebody is to be told of, by one channel at one place."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_model", "model", "number"), Index("ix_deliveries_waiting", "sent_at"))

    number: int | None = Field(default=None, primary_key=True)
    delivery: str = Field(unique=True)
    model: str
    alert: str
    kind: str
    severity: str
    channel: str
    to: str
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_type=UtcTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcTime)
    given_up: str | None = None
    """Why nobody was told; a replay of the dead letter tries again."""


class KeyRow(SQLModel, table=True):
    """The newest prediction, in event time, of each of the callers' own keys."""

    __tablename__ = "keys"
    __table_args__ = (Index("ix_keys_time", "model", "time"),)

    model: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    prediction_id: str
    row: int
    time: datetime = Field(sa_type=UtcTime)


class KeyTruthRow(SQLModel, table=True):
    """What really happened to a row that is named by a key of which no prediction is logged yet."""

    __tablename__ = "key_truths"

    model: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    value: Any = Field(sa_column=Column(JSON, nullable=False))
    reported_at: datetime = Field(sa_type=UtcTime)


class WindowRow(SQLModel, table=True):
    """One window that is over, and what came too late for it; `failed` says why it could not be judged."""

    __tablename__ = "windows"

    model: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    start: datetime = Field(sa_type=UtcTime)
    end: datetime = Field(sa_type=UtcTime)
    judged_at: datetime = Field(sa_type=UtcTime)
    failed: str | None = None
    late_predictions: int = 0
    late_truths: int = 0


class JudgementRow(SQLModel, table=True):
    """What a window showed of one version, as it was said."""

    __tablename__ = "judgements"

    model: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    version: int = Field(primary_key=True)
    figures: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class FindingRow(SQLModel, table=True):
    """A finding that the newest judgement of a version still showed: told once, until it changes."""

    __tablename__ = "findings"

    model: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    about: str = Field(primary_key=True)
    marks: list[str] = Field(sa_column=Column(JSON, nullable=False))
    since: int


class AskedRow(SQLModel, table=True):
    """When retraining was asked for last, per version that gave the cause; version 0 is the schedule's."""

    __tablename__ = "asked"

    model: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcTime)
    reason: str


class ScheduleRow(SQLModel, table=True):
    """When a model is to be trained again by its schedule."""

    __tablename__ = "schedules"

    model: str = Field(primary_key=True)
    every: str
    due: datetime = Field(sa_type=UtcTime, index=True)


Judged = tuple[JudgementRow, WindowRow]


class Repository:
    """The rows of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def declared(self, model: str, *, lock: bool = False) -> DeclaredRow | None:
        """A declared model; locked, nobody else judges it or counts what is late before this transaction ends."""
        return await self.session.get(DeclaredRow, model, with_for_update=lock or None, populate_existing=lock)

    async def asked(self) -> Sequence[tuple[DeclaredRow, datetime | None]]:
        """The declared models that somebody has asked, each with the time of its oldest answer that is not judged."""
        oldest = (
            select(LoggedRow.time)
            .where(LoggedRow.model == DeclaredRow.model, LoggedRow.route != "shadow")
            .where((col(LoggedRow.time) >= DeclaredRow.judged_until) | col(DeclaredRow.judged_until).is_(None))
            .order_by(col(LoggedRow.time))
            .limit(1)
            .scalar_subquery()
        )
        query = select(DeclaredRow, oldest).where(col(DeclaredRow.newest).is_not(None), DeclaredRow.revision > 0)
        return [(row, time) for row, time in (await self.session.exec(query)).all()]

    async def oldest(self, model: str, since: datetime | None) -> datetime | None:
        """The time of the oldest answer at or after a moment, shadows apart."""
        query = select(LoggedRow.time).where(LoggedRow.model == model, LoggedRow.route != "shadow")
        query = query.where(col(LoggedRow.time) >= since) if since else query
        return (await self.session.exec(query.order_by(col(LoggedRow.time)).limit(1))).first()

    async def logged_between(self, model: str, start: datetime, end: datetime) -> Sequence[LoggedRow]:
        """What was answered in a span of event time, shadows apart, oldest first."""
        query = select(LoggedRow).where(LoggedRow.model == model, LoggedRow.route != "shadow")
        query = query.where(col(LoggedRow.time) >= start, col(LoggedRow.time) < end)
        return (await self.session.exec(query.order_by(col(LoggedRow.time)))).all()

    async def rows_between(self, model: str, start: datetime, end: datetime) -> int:
        """How many rows were answered in a span of event time, shadows apart."""
        query = select(func.sum(LoggedRow.rows)).where(LoggedRow.model == model, LoggedRow.route != "shadow")
        query = query.where(col(LoggedRow.time) >= start, col(LoggedRow.time) < end)
        return int((await self.session.exec(query)).one() or 0)

    async def truths_of(self, model: str, predictions: Sequence[str]) -> dict[tuple[str, int], Any]:
        """The known truths of some predictions, by id and row."""
        found: dict[tuple[str, int], Any] = {}
        for some in _chunks(predictions):
            query = select(TruthRow.prediction_id, TruthRow.row, TruthRow.value).where(TruthRow.model == model)
            rows = await self.session.exec(query.where(col(TruthRow.prediction_id).in_(some)))
            found.update({(prediction, row): value for prediction, row, value in rows.all()})
        return found

    async def truths_since(
        self, model: str, moment: datetime, start: datetime, end: datetime
    ) -> dict[tuple[str, int], Any]:
        """Truths that were reported at or after a moment for answers of a span of event time, by id and row."""
        span = (col(LoggedRow.time) >= start) & (col(LoggedRow.time) < end)
        query = (
            select(TruthRow.prediction_id, TruthRow.row, TruthRow.value)
            .join(LoggedRow, (col(LoggedRow.prediction_id) == TruthRow.prediction_id) & (LoggedRow.model == model))
            .where(TruthRow.model == model, col(TruthRow.reported_at) >= moment, span, LoggedRow.route != "shadow")
            .where(TruthRow.row >= LoggedRow.first_row, TruthRow.row < LoggedRow.first_row + LoggedRow.rows)
        )
        return {(prediction, row): value for prediction, row, value in (await self.session.exec(query)).all()}

    async def answers(self, predictions: Sequence[str]) -> Mapping[str, Sequence[Answer]]:
        """The logged answers of some predictions, of whatever model, shadows apart."""
        found: dict[str, list[Answer]] = defaultdict(list)
        for some in _chunks(predictions):
            query = select(LoggedRow).where(col(LoggedRow.prediction_id).in_(some), LoggedRow.route != "shadow")
            for row in (await self.session.exec(query.options(defer(LoggedRow.data)))).all():  # type: ignore[arg-type]
                found[row.prediction_id].append(Answer(row.model, row.digest, row.first_row, row.rows, row.time))
        return found

    async def versions(self, model: str) -> Sequence[RegisteredRow]:
        """What is known of the versions of a model."""
        return (await self.session.exec(select(RegisteredRow).where(RegisteredRow.model == model))).all()

    async def window_at(self, model: str, moment: datetime) -> WindowRow | None:
        """The judged window that a moment lies in."""
        query = select(WindowRow).where(WindowRow.model == model, col(WindowRow.start) <= moment)
        return (await self.session.exec(query.where(col(WindowRow.end) > moment).limit(1))).first()

    async def windows(self, model: str, below: tuple[int, int] | None, limit: int) -> Sequence[Judged]:
        """Judgements with their windows, newest first, the newest version first in each; those below a place."""
        query = select(JudgementRow, WindowRow).where(JudgementRow.model == model, _same_window())
        place = tuple_(col(JudgementRow.number), col(JudgementRow.version))
        query = query.where(place < below) if below else query
        newest = (col(JudgementRow.number).desc(), col(JudgementRow.version).desc())
        return (await self.session.exec(query.order_by(*newest).limit(limit))).all()

    async def judgements(self, model: str, number: int) -> Sequence[JudgementRow]:
        """What a window showed, a version each, the newest first."""
        query = select(JudgementRow).where(JudgementRow.model == model, JudgementRow.number == number)
        return (await self.session.exec(query.order_by(col(JudgementRow.version).desc()))).all()

    async def findings(self, model: str, version: int) -> dict[str, FindingRow]:
        """The open findings of a version, by what they are about."""
        query = select(FindingRow).where(FindingRow.model == model, FindingRow.version == version)
        return {row.about: row for row in (await self.session.exec(query)).all()}

    async def deliveries(self, model: str, below: int | None, limit: int) -> Sequence[DeliveryRow]:
        """Deliveries of a model's alerts, newest first; those below a number."""
        query = select(DeliveryRow).where(DeliveryRow.model == model)
        query = query.where(col(DeliveryRow.number) < below) if below is not None else query
        return (await self.session.exec(query.order_by(col(DeliveryRow.number).desc()).limit(limit))).all()

    async def undelivered(self, loop: str, each: int, limit: int) -> Sequence[str]:
        """The ids of what is to be sent, oldest first, of each place so many: one that is away hides no other's.

        What `loop` has set aside is left out until its dead letter is replayed.
        """
        aside = select(LoopItem.key).where(LoopItem.loop == loop, col(LoopItem.dead_letter).is_not(None))
        place = func.row_number().over(partition_by=col(DeliveryRow.to), order_by=col(DeliveryRow.number))
        waiting = select(DeliveryRow.delivery, DeliveryRow.number, place.label("place")).where(
            col(DeliveryRow.sent_at).is_(None), col(DeliveryRow.delivery).not_in(aside)
        )
        first = waiting.subquery().c
        query = select(first.delivery).where(first.place <= each).order_by(first.number).limit(limit)
        return (await self.session.exec(query)).all()

    async def delivery(self, id: str) -> DeliveryRow | None:
        """One delivery by its id."""
        return (await self.session.exec(select(DeliveryRow).where(DeliveryRow.delivery == id))).one_or_none()

    async def due_schedules(self, now: datetime) -> Sequence[ScheduleRow]:
        """The schedules whose time has come."""
        return (await self.session.exec(select(ScheduleRow).where(col(ScheduleRow.due) <= now))).all()

    async def speaking(self) -> Sequence[DeclaredRow]:
        """The declared models that were asked, and are not known to be silent."""
        query = select(DeclaredRow).where(col(DeclaredRow.arrived).is_not(None), DeclaredRow.revision > 0)
        return (await self.session.exec(query.where(col(DeclaredRow.silent_since).is_(None)))).all()

    async def judged_models(self) -> Sequence[str]:
        """The models of which a window was judged."""
        return (
            await self.session.exec(select(DeclaredRow.model).where(col(DeclaredRow.judged_until).is_not(None)))
        ).all()

    async def last_asked(self, model: str) -> datetime | None:
        """When training was asked for last, whatever the cause."""
        return (await self.session.exec(select(func.max(AskedRow.at)).where(AskedRow.model == model))).one()

    async def move_schedule(self, row: ScheduleRow, due: datetime) -> bool:
        """Give a schedule its next time; False where another copy of this service was faster."""
        here = (col(ScheduleRow.model) == row.model) & (col(ScheduleRow.due) == row.due)
        return (await self.session.exec(update(ScheduleRow).where(here).values(due=due))).rowcount == 1

    async def fall_silent(self, model: str, now: datetime) -> bool:
        """Note that nobody asks a model any more; False where it is noted already."""
        here = (col(DeclaredRow.model) == model) & col(DeclaredRow.silent_since).is_(None)
        return (await self.session.exec(update(DeclaredRow).where(here).values(silent_since=now))).rowcount == 1

    async def add_logged(self, rows: Sequence[dict[str, Any]]) -> set[tuple[str, int, str]]:
        """Insert answers; one that is there already stays as it is. Returns the keys of those that are new."""
        added: set[tuple[str, int, str]] = set()
        for some in _chunks(rows):
            statement = upsert(self.session.get_bind().dialect.name, LoggedRow).values(list(some))
            keys = (col(LoggedRow.prediction_id), col(LoggedRow.first_row), col(LoggedRow.route))
            added.update(tuple(row) for row in (await self.session.exec(statement.returning(*keys))).all())
        return added

    async def places(self, model: str, keys: Sequence[str]) -> dict[str, tuple[str, int]]:
        """The newest prediction of some keys, by id and row."""
        found: dict[str, tuple[str, int]] = {}
        for some in _chunks(keys):
            query = select(KeyRow).where(KeyRow.model == model, col(KeyRow.key).in_(some))
            found |= {row.key: (row.prediction_id, row.row) for row in (await self.session.exec(query)).all()}
        return found

    async def put_keys(self, rows: Sequence[dict[str, Any]]) -> None:
        """Note predictions with a key, in their order; one that is newer in event time stays."""
        await put_rows(self.session, KeyRow, rows, replace=("prediction_id", "row", "time"), newer="time")

    async def put_key_truths(self, rows: Sequence[dict[str, Any]]) -> None:
        """Keep truths until a prediction with their key comes; a newer report replaces an older one."""
        await put_rows(self.session, KeyTruthRow, rows, replace=("value", "reported_at"))

    async def take_key_truths(self, model: str, keys: Sequence[str]) -> Sequence[KeyTruthRow]:
        """The truths that waited for these keys; they wait no more."""
        found: list[KeyTruthRow] = []
        for some in _chunks(keys):
            here = (col(KeyTruthRow.model) == model) & col(KeyTruthRow.key).in_(some)
            rows = (await self.session.exec(select(KeyTruthRow).where(here))).all()
            found += rows
            for row in rows:
                await self.session.delete(row)
        return found

    async def put_truths(self, rows: Sequence[dict[str, Any]]) -> None:
        """Insert truths; a newer report replaces an older one.

        One statement for any number of rows: with the rows in its text it is compiled anew for each report, which took
        three quarters of a report of 150.
        """
        await put_rows(self.session, TruthRow, rows, replace=("value", "reported_at"))


def _same_window() -> Any:
    return (col(WindowRow.model) == JudgementRow.model) & (col(WindowRow.number) == JudgementRow.number)


def _chunks(rows: Sequence[Any]) -> list[Sequence[Any]]:
    return [rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE)]
