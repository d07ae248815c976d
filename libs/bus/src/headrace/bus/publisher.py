"""Publishing typed events fast, for programs without a database: a bounded window of acknowledgements."""

import asyncio
from collections.abc import Iterable

from headrace.bus.connection import Connection, PubAck
from headrace.bus.unit_of_work import ID_HEADER
from headrace.contracts import CONTENT_TYPE, Envelope, encode


class Publisher:
    """Publishes envelopes with at most `window` unacknowledged at a time."""

    def __init__(self, connection: Connection, *, window: int = 4096) -> None:
        self._connection = connection
        self._free = asyncio.Semaphore(window)

    async def publish(self, envelope: Envelope) -> asyncio.Future[PubAck]:
        """Send one event; waits only while the window is full. The future is done when the broker has stored it."""
        await self._free.acquire()
        headers = {ID_HEADER: envelope.id, "Content-Type": CONTENT_TYPE}
        try:
            future = await self._connection.publish(envelope.nats_subject, encode(envelope), headers)
        except BaseException:
            self._free.release()
            raise
        future.add_done_callback(self._release)
        return future

    async def publish_window(self, envelopes: Iterable[Envelope]) -> list[PubAck]:
        """Send many events and wait until all are stored; raises the first error."""
        futures = [await self.publish(envelope) for envelope in envelopes]
        return list(await asyncio.gather(*futures))

    def _release(self, _future: object) -> None:
        self._free.release()
