"""`python poisoned.py`: the registry, whose handler of declarations breaks where a declaration's purpose says so."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from headrace.bus import UnitOfWork
from headrace.chassis import Service, run
from headrace.contracts import DeclarationRequested
from headrace.registry import handlers
from headrace.registry.service import build
from headrace.registry.settings import RegistrySettings

EATEN = 64 * 2**20  # bytes that a greedy handler has touched when the kernel's OOM killer comes for it


async def raises() -> None:
    """A bug."""
    raise ZeroDivisionError("poison: raises")


async def killed() -> None:
    """As the OOM killer does it: SIGKILL, with memory in hand."""
    eaten = bytearray(os.urandom(EATEN))
    os.kill(os.getpid(), signal.SIGKILL if eaten else signal.SIGTERM)


async def hangs() -> None:
    """Never ends by itself."""
    await asyncio.Event().wait()


BREAKS: Mapping[str, Callable[[], Awaitable[None]]] = {"raises": raises, "killed": killed, "hangs": hangs}


async def on_model_requested(event: DeclarationRequested, work: UnitOfWork) -> None:
    """Half of the work first, so that there is something to roll back."""
    await handlers.on_model_requested(event, work)
    if (purpose := event.document.get("purpose")) in BREAKS:
        await BREAKS[purpose]()


def poisoned(settings: RegistrySettings) -> Service:
    """The registry's own wiring, but for this one handler."""
    service = build(settings)
    return replace(service, subscriptions={**service.subscriptions, DeclarationRequested: on_model_requested})


if __name__ == "__main__":
    run(poisoned(RegistrySettings()))
