"""A process of the trainer that kills itself at a given point: victim.py POINT NTH URL SEED DATABASE MESSAGES.

It ends by itself when all messages have had their effect and nothing waits in the outbox.
"""

import asyncio
import importlib.util
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headrace.bus import BusSettings, Patience, Relay
from headrace.testkit.patience import eventually

_place = importlib.util.spec_from_file_location("plants", Path(__file__).with_name("conftest.py"))
assert _place is not None
assert _place.loader is not None
plants: Any = importlib.util.module_from_spec(_place)
sys.modules["plants"] = plants
_place.loader.exec_module(plants)

POINT, NTH = sys.argv[1], int(sys.argv[2])
_seen = 0


def reach(point: str) -> None:
    """Die here, as in a power cut, the NTH time that POINT is reached."""
    global _seen
    if point == POINT:
        _seen += 1
        if _seen == NTH:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalRelay(Relay):
    """A relay that can die with its events published and not marked."""

    async def _mark(self, stored: Sequence[int]) -> None:
        if stored:
            reach("after_publish")
        await super()._mark(stored)
        if stored:
            reach("after_mark")


async def handler(event: Any, work: Any) -> None:
    """The plain handler, with places to die at."""
    reach("before_handling")
    await plants.leave_effect(event, work)
    reach("before_commit")
    if event.model == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, seed: str, database: str, messages: str) -> None:
    """Run until everything is done."""
    bus = BusSettings(url, "trainer", Path(seed))
    settings = {"relay": MortalRelay, "wake": lambda: reach("after_commit"), "patience": Patience(attempts=2)}
    async with plants.Plant(bus, database, handler, batch=8, **settings) as running:

        async def done() -> bool:
            return len(await running.effects()) >= int(messages) and not await running.unsent()

        await eventually(done, timeout=60)


asyncio.run(main(*sys.argv[3:7]))
