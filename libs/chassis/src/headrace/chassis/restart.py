"""Keeping up what runs for ever, such as the follower of a stream: where it fails, it is started again.

Work that comes in items or at an interval belongs into `headrace.chassis.every`.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping

import structlog

from headrace.bus.processor import reason_of
from headrace.bus.retry import jitter

log = structlog.get_logger()

FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 30.0


async def restarted(run: Callable[[], Awaitable[None]], name: str, problems: MutableMapping[str, str]) -> None:
    """Run until it returns; what fails is started again, later each time, and named in `problems` meanwhile."""
    delay = FIRST_DELAY_S
    while True:
        try:
            await run()
            return
        except Exception as error:
            problems[name] = reason_of(error)
            log.exception("background_failed", loop=name)
        await asyncio.sleep(jitter(delay))
        delay = min(LONGEST_DELAY_S, delay * 2)
        problems.pop(name, None)
