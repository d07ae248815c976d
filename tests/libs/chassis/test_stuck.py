"""A subscription that makes no progress while messages wait for it is told of."""

import asyncio
from dataclasses import replace
from typing import Any

from headrace.bus import UnitOfWork
from headrace.chassis import ServiceSettings
from headrace.chassis.stuck import LONGEST_S, watch_subscriptions
from headrace.contracts import TrainingRequested
from headrace.testkit import a


async def test_a_subscription_without_progress_is_a_problem_until_it_goes_on(
    harness: Any, sqlite_url: str, program: Any, eventually: Any
) -> None:
    """A handler that waits for ever holds all that its durable may have in hand; then messages wait."""
    goes_on, minutes = asyncio.Event(), [0.0]

    async def slow(event: TrainingRequested, work: UnitOfWork) -> None:
        await goes_on.wait()

    def build(settings: ServiceSettings) -> Any:
        return replace(program.build(settings), subscriptions={TrainingRequested: slow}, background=[])

    settings = {"database_url": sqlite_url, "longest_handler_s": 4}  # what the handler is given before it is ended
    async with harness(build, ServiceSettings, identity="trainer", **settings) as on:
        for number in range(1100):
            await on.say(a(TrainingRequested, model=f"m{number}"))
        runtime, admin = on.app.state.runtime, await on._speaker("provisioner")
        await eventually(lambda: waits(admin))
        watching = watch_subscriptions(lambda: minutes[0]).ticker(runtime)

        await watching.once()
        assert "stuck:REQUESTS" not in runtime.problems
        minutes[0] += LONGEST_S + 1
        await watching.once()
        assert "messages wait" in (await on.http.get("/ready")).json()["problems"]["stuck:REQUESTS"]

        goes_on.set()
        await on.quiet()
        await watching.once()
        assert (await on.http.get("/ready")).status_code == 200


async def waits(admin: Any) -> bool:
    """Whether messages wait for the durable, which has all in hand that it may."""
    info = await admin.request("CONSUMER.INFO.REQUESTS.trainer")
    return bool(info["num_pending"]) and info["num_ack_pending"] >= 128
