"""Reading a stream without a durable: the last event of each subject first, then what comes, live.

For readers that keep no state of their own: an inference replica learns its routes this way, and a person watches.
The consumer is the broker's and short-lived; it is made again where the reader had got to after a reconnect, a lost
heartbeat or a gap.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any, Literal

from nats.aio.msg import Msg

from headrace.bus.connection import Connection
from headrace.bus.errors import BrokerAway, PublishRefused
from headrace.bus.messages import RawMessage, raw
from headrace.bus.tasks import cancel

HEARTBEAT_S = 2.0
POLL_S = 0.01
Start = Literal["last_per_subject", "new", "all"] | int


class Follower:
    """Follows one filter of one stream, from `start` on (a number is a sequence of the stream); iterate over it."""

    def __init__(self, connection: Connection, stream: str, filter_: str, start: Start = "last_per_subject") -> None:
        self._connection = connection
        self._stream = stream
        self._filter = filter_
        self._start: Start = "all" if isinstance(start, int) else start
        self._queue: asyncio.Queue[RawMessage] = asyncio.Queue()
        self._inbox = ""
        self._last = start - 1 if isinstance(start, int) else 0
        self._expected = 1
        self._heard = 0.0
        self._again = asyncio.Event()
        self.caught_up = asyncio.Event()
        self.problem: str | None = None

    async def __aenter__(self) -> "Follower":
        self._connection.reconnected.append(self._again.set)
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._connection.reconnected.remove(self._again.set)
        await cancel(self._task)

    async def __aiter__(self) -> AsyncIterator[RawMessage]:
        while True:
            yield await self._queue.get()

    async def until_caught_up(self) -> AsyncIterator[RawMessage]:
        """What the stream holds now, to its end; raises BrokerAway where it cannot be read."""
        while not (self.caught_up.is_set() and self._queue.empty()):
            with contextlib.suppress(asyncio.QueueEmpty):
                yield self._queue.get_nowait()
                continue
            if self.problem:
                raise BrokerAway(self.problem)
            await asyncio.sleep(POLL_S)

    async def _run(self) -> None:
        while True:
            self._again.clear()
            try:
                await self._session()
                self.problem = None
            except (BrokerAway, PublishRefused) as error:
                self.problem = str(error)
                await asyncio.sleep(0.2)

    async def _session(self) -> None:
        """One consumer's life: made, listened to, until something says that it must be made again."""
        self._inbox = self._connection.client.new_inbox()
        subscription = await self._connection.client.subscribe(self._inbox, cb=self._on_message)
        try:
            await self._create()
            while not self._again.is_set() and time.monotonic() - self._heard < 2.5 * HEARTBEAT_S:
                try:
                    await asyncio.wait_for(self._again.wait(), HEARTBEAT_S)
                except TimeoutError:
                    continue
        finally:
            if self._connection.connected:
                await subscription.unsubscribe()

    async def _create(self) -> None:
        name = f"{self._connection.identity}-{secrets.token_hex(6)}"
        subject = f"CONSUMER.CREATE.{self._stream}.{name}.{self._filter}"
        self._expected, self._heard = 1, time.monotonic()
        made = await self._connection.request(subject, {"stream_name": self._stream, "config": self._config(name)})
        if made.get("num_pending", 0) == 0:
            self.caught_up.set()

    def _config(self, name: str) -> dict[str, Any]:
        config: dict[str, Any] = {
            "name": name,
            "deliver_subject": self._inbox,
            "filter_subject": self._filter,
            "ack_policy": "none",
            "max_deliver": 1,
            "mem_storage": True,
            "num_replicas": 1,
            "idle_heartbeat": int(HEARTBEAT_S * 1e9),
            "inactive_threshold": int(10e9),
            "deliver_policy": self._start,
        }
        if self._last:
            config |= {"deliver_policy": "by_start_sequence", "opt_start_seq": self._last + 1}
        return config

    async def _on_message(self, message: Msg) -> None:
        self._heard = time.monotonic()
        if not message.reply.startswith("$JS.ACK"):
            if not message.data and (message.headers or {}).get("Nats-Last-Consumer", str(self._expected - 1)) != str(
                self._expected - 1
            ):
                self._again.set()  # the heartbeat tells of messages that did not arrive
            return
        tokens = message.reply.split(".")
        consumer_seq, pending = int(tokens[-3]), int(tokens[-1])
        if consumer_seq != self._expected:
            self._again.set()
            return
        self._expected += 1
        found = raw(message)
        self._last = max(self._last, found.seq)
        self._queue.put_nowait(found)
        if pending == 0:
            self.caught_up.set()
