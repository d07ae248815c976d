"""Deadlines come true: bakes end, loads time out. They lie in the database, so a restart forgets none."""

import asyncio
from datetime import timedelta

from headrace.chassis import Runtime
from headrace.deployer.handlers import tick
from headrace.deployer.tables import Repository

LOOK_EVERY = timedelta(milliseconds=200)  # how late a step may be; the shortest sensible bake is a few seconds


async def watch_deadlines(runtime: Runtime, every: timedelta = LOOK_EVERY) -> None:
    """Look for deadlines that have passed, for ever."""
    while True:
        await pass_deadlines(runtime)
        await asyncio.sleep(every.total_seconds())


async def pass_deadlines(runtime: Runtime) -> None:
    """Act on every deadline that has passed, each in a transaction of its own."""
    async with runtime.session() as session:
        due = await Repository(session).due(runtime.clock())
    for model in due:
        async with runtime.work("service:deployer") as work:
            await tick(work, model)
