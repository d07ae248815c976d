"""Answers and truths that no window needs any more."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import delete
from sqlmodel import col

from headrace.chassis import Every, Runtime, every
from headrace.monitor.settings import MonitorSettings
from headrace.monitor.tables import LoggedRow, Records, TruthRow

EVERY = timedelta(hours=1)


def forget(settings: MonitorSettings) -> Every[Runtime, str]:
    """Remove what is older than the settings keep, model by model; judged windows stay."""

    async def handle(runtime: Runtime, model: str) -> None:
        await _forget(runtime, model, settings)

    return every(EVERY, judged_models, handle, name="forget", wait_first=True)


async def judged_models(runtime: Runtime) -> Mapping[str, str]:
    """The models of which a window was judged."""
    async with runtime.session() as session:
        rows = await Records(session).active()
    return {row.model: row.model for row in rows if row.judged_until is not None}


async def _forget(runtime: Runtime, model: str, settings: MonitorSettings) -> None:
    async with runtime.work("service:monitor") as work:
        row = await Records(work.session).declared(model)
        if row is None or row.judged_until is None:
            return
        old = row.judged_until - settings.monitor_keep
        await work.session.exec(delete(LoggedRow).where(col(LoggedRow.model) == model, col(LoggedRow.time) < old))
        reported = work.now - settings.monitor_keep
        await work.session.exec(
            delete(TruthRow).where(col(TruthRow.model) == model, col(TruthRow.reported_at) < reported)
        )
