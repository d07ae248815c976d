"""Answers and truths that no window needs any more."""

import asyncio

from sqlalchemy import delete
from sqlmodel import col

from headrace.chassis import Runtime
from headrace.monitor.settings import MonitorSettings
from headrace.monitor.tables import LoggedRow, Records, TruthRow

EVERY_S = 3600.0


async def forget(runtime: Runtime, *, settings: MonitorSettings) -> None:
    """Remove what is older than the settings keep; judged windows stay."""
    while True:
        await asyncio.sleep(EVERY_S)
        async with runtime.session() as session:
            models = await Records(session).active()
        for row in models:
            if row.judged_until is not None:
                await _forget(runtime, row.model, settings)


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
