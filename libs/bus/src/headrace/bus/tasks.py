"""Small things about asyncio tasks."""

import asyncio
from typing import Any

AGAIN_S = 0.2


async def cancel(task: "asyncio.Task[Any]") -> None:
    """Cancel a task and wait until it has ended.

    It is told again until it has: before Python 3.12, `wait_for` swallows a cancellation that comes in the moment in
    which what it waits for is done, and nats-py's requests are made with it.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_S)
    if not task.cancelled():
        task.result()
