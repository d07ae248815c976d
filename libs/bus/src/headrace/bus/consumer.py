"""One durable's way into the service: pull, keep the broker patient while handling, hand over in batches."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Protocol

import structlog

from headrace.bus.connection import Connection
from headrace.bus.messages import RawMessage, raw
from headrace.bus.pull import PullLoop
from headrace.bus.tasks import cancel
from headrace.contracts.topology import ACK_WAIT_S, ConsumerSpec

log = structlog.get_logger()

BATCH = 128  # messages a transaction; more gains little, and a failure repeats them all


class Processor(Protocol):
    """What handles a batch: an MessageProcessor or a BatchProcessor."""

    async def process(self, messages: Sequence[RawMessage]) -> None:
        """Handle every message of the batch to an ack or a delay."""
        ...


class Consumer:
    """Runs a pull loop into a processor until it is stopped."""

    def __init__(self, connection: Connection, spec: ConsumerSpec, processor: Processor, *, batch: int = BATCH) -> None:
        self.spec = spec
        self._connection = connection
        self._processor = processor
        self._batch = batch
        self._loop = PullLoop(connection, spec.stream, spec.durable, batch=2 * batch)
        self._idle = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def started(self) -> bool:
        """Whether it has begun."""
        return self._task is not None

    @property
    def problem(self) -> str | None:
        """Why nothing comes in."""
        ended = self._task is not None and self._task.done() and not self._stopping
        return self._loop.problem or ("the loop has ended; restart the service" if ended else None)

    async def start(self) -> None:
        """Begin."""
        await self._loop.start()
        self._task = asyncio.create_task(self._run())

    async def stop(self, *, grace: float = 2.0) -> None:
        """Finish the batch in hand, for at most `grace` seconds, and pull no more; the rest goes back."""
        self._stopping = True
        if self._task is None:
            return
        waiting = asyncio.create_task(self.rest())
        await asyncio.wait({waiting, self._task}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await cancel(self._task)
        await self._loop.stop()

    async def rest(self) -> None:
        """Wait until nothing is in hand."""
        await self._idle.wait()

    async def _run(self) -> None:
        while not self._stopping:
            self._idle.set()
            taken = await self._loop.take(self._batch)
            self._idle.clear()
            await self._hand_over([raw(message) for message in taken])
        self._idle.set()

    async def _hand_over(self, messages: Sequence[RawMessage]) -> None:
        keeping = asyncio.create_task(self._keep(messages))
        try:
            await self._processor.process(messages)
        except Exception:
            log.exception("batch_failed", stream=self.spec.stream, durable=self.spec.durable)
            await asyncio.sleep(1)  # not acknowledged: they come back after the ack wait
        finally:
            await cancel(keeping)

    async def _keep(self, messages: Sequence[RawMessage]) -> None:
        """Tell the broker that a long batch is still worked on."""
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(ACK_WAIT_S / 3)
                for reply in (*(message.reply for message in messages), *self._loop.waiting()):
                    await self._connection.send(reply, b"+WPI")
