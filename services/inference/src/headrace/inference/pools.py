"""Threads for versions that answer in processes: each has its own, so that one that hangs holds up nobody else."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from headrace.inference.errors import Busy

T = TypeVar("T")
WAITING = 64  # requests for each that is answered: at 2 ms an answer the last of them waits 0.1 s
TOGETHER = 16  # that wait in threads, so that a runtime can answer them in one batch


class Pool:
    """The threads of one version, and a bound on who waits for them."""

    def __init__(self, slots: int) -> None:
        self._threads = ThreadPoolExecutor(slots * TOGETHER, "model")
        self._most = WAITING * slots
        self._inside = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Do work there; raises Busy where too much waits already. To be said in the loop's thread."""
        if self._inside >= self._most:
            raise Busy(f"{self._inside} requests wait for this model already; send fewer, or declare more `workers`")
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._inside -= 1

    def close(self) -> None:
        """Start nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
