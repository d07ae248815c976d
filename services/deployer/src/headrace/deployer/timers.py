"""Deadlines that have passed: bakes end, loads time out. They lie in the database, so a restart forgets none."""

from collections.abc import Mapping
from datetime import timedelta

from headrace.chassis import Runtime, every
from headrace.deployer.handlers import tick
from headrace.deployer.tables import Repository

LOOK_EVERY = timedelta(milliseconds=200)  # how late a step may be; the shortest sensible bake is a few seconds


async def passed_deadlines(runtime: Runtime) -> Mapping[str, str]:
    """The models whose deadline has passed, by model and revision of their traffic."""
    async with runtime.session() as session:
        return {f"{model}/{revision}": model for model, revision in await Repository(session).due(runtime.clock())}


async def pass_deadline(runtime: Runtime, model: str) -> None:
    """Act on a deadline that has passed."""
    async with runtime.work("service:deployer") as work:
        await tick(work, model)


watch_deadlines = every(LOOK_EVERY, passed_deadlines, pass_deadline, name="deadlines")
