"""Raw batches of a whole stream, for services that read everything: audit, and monitor's predictions.

A tap handles a batch in one transaction and is itself idempotent by (stream, seq): there is no inbox row a message.
"""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from headrace.bus.connection import Connection
from headrace.bus.messages import RawMessage
from headrace.bus.policy import Patience, jitter
from headrace.bus.reached import reach
from headrace.bus.store import Clock, Store, is_outage
from headrace.bus.trace import follow
from headrace.bus.work import Work
from headrace.faults import point

log = structlog.get_logger()

Tap = Callable[[Sequence[RawMessage], Work], Awaitable[None]]


class TapInlet:
    """Hands batches to a tap; a batch that fails is tried one message at a time, and no message is ever skipped."""

    def __init__(self, service: str, store: Store, connection: Connection, tap: Tap, *, clock: Clock) -> None:
        self._service = service
        self._store = store
        self._connection = connection
        self._tap = tap
        self._clock = clock
        self._patience = Patience()
        self._failures: dict[tuple[str, int], int] = {}

    async def process(self, messages: Sequence[RawMessage]) -> None:
        """Handle a batch."""
        error = await self._try(messages)
        if error is None:
            return
        for message in messages:
            error = await self._try([message])
            if error is not None:
                await self._back(message, error)

    async def _try(self, messages: Sequence[RawMessage]) -> Exception | None:
        try:
            async with self._store.write() as session:
                first = messages[0]
                root = f"{first.stream}-{first.seq}-{len(messages)}"
                service = f"service:{self._service}"
                work = Work(session, self._service, service, self._clock(), root, traceparent=follow(None))
                await self._tap(messages, work)
                await reach(session, first.stream, seq=max(message.seq for message in messages))
        except Exception as error:
            return error
        point("tap.committed")
        for message in messages:
            self._failures.pop((message.stream, message.seq), None)
            await self._connection.send(message.reply, b"+ACK")
        return None

    async def _back(self, message: RawMessage, error: Exception) -> None:
        place = (message.stream, message.seq)
        if not is_outage(error):
            self._failures[place] = self._failures.get(place, 0) + 1
        log.warning("tap_failed", stream=message.stream, seq=message.seq, exc_info=error)
        seconds = self._patience.delay(self._failures.get(place, 1))
        await self._connection.send(message.reply, b'-NAK {"delay": %d}' % int(jitter(seconds) * 1e9))
