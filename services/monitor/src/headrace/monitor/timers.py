"""What happens by the clock: silence is told of, training is asked for by its schedule, old answers are removed."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, or_
from sqlmodel import col

from headrace.bus import UnitOfWork
from headrace.chassis import Runtime
from headrace.contracts import AlertRaised, Declaration, derive_id
from headrace.contracts.durations import parse_duration
from headrace.monitor.announcements import SCHEDULED, ask
from headrace.monitor.declarations import Declarations
from headrace.monitor.domain import ACTOR, cooled, window_of
from headrace.monitor.settings import MonitorSettings
from headrace.monitor.tables import (
    DeclaredRow,
    DeliveryRow,
    KeyRow,
    KeyTruthRow,
    LoggedRow,
    Repository,
    ScheduleRow,
    TruthRow,
)

EVERY = timedelta(hours=1)  # old answers cost space, not time


class Silence:
    """Says once when a model that should be asked is not."""

    def __init__(self) -> None:
        self._declarations = Declarations()

    async def due(self, runtime: Runtime) -> Mapping[str, str]:
        """The models that nobody has asked for too long."""
        async with runtime.session() as session:
            rows = await Repository(session).speaking()
        now = runtime.clock()
        return {f"{row.model}/{row.arrived}": row.model for row in rows if self._is_silent(row, now)}

    def _is_silent(self, row: DeclaredRow, now: datetime) -> bool:
        """Also where it cannot be told: then telling fails, apart from the other models."""
        try:
            return _silence(row, self._declarations.of(row), now) is not None
        except Exception:
            return True

    async def tell(self, runtime: Runtime, model: str) -> None:
        """Tell of one model."""
        async with runtime.work(ACTOR) as work:
            row = await Repository(work.session).declared(model)
            silence = _silence(row, row.parsed(), work.now) if row else None
            if row and silence and await Repository(work.session).fall_silent(model, work.now):
                work.emit(_alert(row, silence.total_seconds()))


def _silence(row: DeclaredRow, declared: Declaration, now: datetime) -> timedelta | None:
    """How long nobody has asked, where that is longer than declared."""
    freshness = declared.monitoring.freshness
    if freshness is None or row.arrived is None or now - row.arrived <= parse_duration(freshness):
        return None
    return now - row.arrived


def _alert(row: DeclaredRow, seconds: float) -> AlertRaised:
    alert = derive_id(row.model, "freshness", str(row.arrived), 0)
    message = f"no prediction was asked for {seconds:,.0f} seconds; look whether callers still reach the model"
    return AlertRaised(model=row.model, alert=alert, kind="freshness", severity="warning", message=message)


def next_time(schedule: str, moment: datetime) -> datetime:
    """The first time of a schedule after a moment; durations count from 1970 on."""
    return window_of(schedule, moment)[1]


async def keep_schedule(work: UnitOfWork, model: str, declared: Declaration) -> None:
    """Follow the declaration: a new schedule begins now, one that is as it was goes on, others end.

    A schedule that has no next time is due at once: what is wrong with it is found out, and told, by its loop.
    """
    row = await work.session.get(ScheduleRow, model)
    every = declared.retraining.every if "schedule" in declared.retraining.on else None
    if every is None:
        if row is not None:
            await work.session.delete(row)
        return
    if row is not None and row.every == every:
        return
    row = row or ScheduleRow(model=model, every=every, due=work.now)
    try:
        row.every, row.due = every, next_time(every, work.now)
    except (ValueError, ArithmeticError):
        row.every, row.due = every, work.now
    work.session.add(row)


async def schedules_due(runtime: Runtime) -> Mapping[str, str]:
    """The models that are to be trained again by now, a key for each due time."""
    async with runtime.session() as session:
        rows = await Repository(session).due_schedules(runtime.clock())
    return {f"{row.model}/{row.due.isoformat()}/{row.every}": row.model for row in rows}


async def ask_by_schedule(runtime: Runtime, model: str) -> None:
    """Ask for training, once for all times that have passed; within a cool-down the time moves to its end."""
    async with runtime.work(ACTOR) as work:
        repository = Repository(work.session)
        row = await work.session.get(ScheduleRow, model)
        declared = await repository.declared(model)
        if row is None or declared is None or row.due > work.now:
            return
        due, free = row.due, await _free(repository, declared)
        if free is not None and free > work.now:
            await repository.move_schedule(row, free)
        elif await repository.move_schedule(row, next_time(row.every, work.now)):
            reason = f"retraining.every is {row.every!r}; the time was {due:%Y-%m-%dT%H:%M:%SZ}"
            await ask(work, model, SCHEDULED, reason, data="latest")


async def _free(repository: Repository, declared: DeclaredRow) -> datetime | None:
    """When the cool-down of the newest request is over."""
    last = await repository.last_asked(declared.model)
    return None if last is None else cooled(declared.parsed(), last)


async def judged_models(runtime: Runtime) -> Mapping[str, str]:
    """The models of which something was judged: they may have answers that no window needs any more."""
    async with runtime.session() as session:
        models = await Repository(session).judged_models()
    return {model: model for model in models}


async def forget(runtime: Runtime, model: str, *, settings: MonitorSettings) -> None:
    """Remove what is older than the settings keep; judged windows stay."""
    async with runtime.work(ACTOR) as work:
        row = await Repository(work.session).declared(model)
        if row is None or row.judged_until is None:
            return
        old, reported = row.judged_until - settings.monitor_keep, work.now - settings.monitor_keep
        await work.session.exec(delete(LoggedRow).where(col(LoggedRow.model) == model, col(LoggedRow.time) < old))
        await work.session.exec(delete(KeyRow).where(col(KeyRow.model) == model, col(KeyRow.time) < old))
        await work.session.exec(
            delete(KeyTruthRow).where(col(KeyTruthRow.model) == model, col(KeyTruthRow.reported_at) < reported)
        )
        over = or_(col(DeliveryRow.sent_at).is_not(None), col(DeliveryRow.given_up).is_not(None))
        await work.session.exec(
            delete(DeliveryRow).where(col(DeliveryRow.model) == model, col(DeliveryRow.created_at) < reported, over)
        )
        await work.session.exec(
            delete(TruthRow).where(col(TruthRow.model) == model, col(TruthRow.reported_at) < reported)
        )
