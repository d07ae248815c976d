"""What happens by the clock: requests for approval and changes lapse, and people are reminded of a model's risk."""

from collections.abc import Mapping

from headrace.chassis import Runtime
from headrace.registry import handlers
from headrace.registry.tables import Repository


async def lapsed(runtime: Runtime) -> Mapping[str, tuple[str, int]]:
    """The versions whose request for approval is over."""
    async with runtime.session() as session:
        rows = await Repository(session).lapsed(runtime.clock())
    return {f"{model}/{version}": (model, version) for model, version in rows}


async def expire(runtime: Runtime, version: tuple[str, int]) -> None:
    """End a request for approval that nobody decided in time."""
    async with runtime.work("service:registry") as work:
        await handlers.expire(work, *version)


async def lapsed_changes(runtime: Runtime) -> Mapping[str, tuple[str, str]]:
    """The changes that nobody decided on in time."""
    async with runtime.session() as session:
        rows = await Repository(session).lapsed_changes(runtime.clock())
    return {f"{model}/{change}": (model, change) for model, change in rows}


async def expire_change(runtime: Runtime, change: tuple[str, str]) -> None:
    """End a change that nobody decided on in time."""
    async with runtime.work("service:registry") as work:
        await handlers.expire_change(work, *change)


async def reviews_due(runtime: Runtime) -> Mapping[str, str]:
    """Models whose risk must be looked at again, and of which nobody was told yet."""
    async with runtime.session() as session:
        due = await Repository(session).reviews_due(runtime.clock())
    return {f"{model}/{since.isoformat()}": model for model, since in due}


async def remind(runtime: Runtime, model: str) -> None:
    """Tell people that a review is due."""
    async with runtime.work("service:registry") as work:
        await handlers.remind(work, model)
