"""A process of the trainer, which FAULT_AT kills where it says; see `headrace.testkit.preloaded`.

It ends by itself when all messages have had their effect and nothing waits in the outbox.
"""

import asyncio
import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import Any

from headrace.bus import BusSettings, RetryPolicy
from headrace.testkit.waiting import eventually

_place = importlib.util.spec_from_file_location("plants", Path(__file__).with_name("conftest.py"))
assert _place is not None
assert _place.loader is not None
plants: Any = importlib.util.module_from_spec(_place)
sys.modules["plants"] = plants
_place.loader.exec_module(plants)


async def handler(event: Any, work: Any) -> None:
    """The plain handler, but one message ends its process."""
    await plants.leave_effect(event, work)
    if event.model == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, seed: str, database: str, messages: str, batch: str) -> None:
    """Run until everything is done."""
    bus = BusSettings(url, "trainer", Path(seed))
    async with plants.Plant(bus, database, handler, batch=int(batch), retry_policy=RetryPolicy(attempts=2)) as running:

        async def done() -> bool:
            return len(await running.effects()) >= int(messages) and not await running.unsent()

        await eventually(done, timeout=60)


def start(*arguments: str) -> None:
    """URL, SEED, DATABASE, MESSAGES, BATCH."""
    asyncio.run(main(*arguments))
