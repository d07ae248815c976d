"""A pull loop: one long-lived inbox, one outstanding pull, re-armed whenever it could have been lost.

nats-py's `fetch` stalls about two seconds in two of ten calls, and a pull that is outstanding when the broker
restarts is lost without a word. This loop asks again after a reconnect and after two missed heartbeats, and stops
at once.
"""

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Sequence

from nats.aio.msg import Msg

from headrace.bus.connection import Connection
from headrace.bus.tasks import cancel

EXPIRES_S = 30.0
HEARTBEAT_S = 2.0


class PullLoop:
    """Keeps up to `batch` messages of a durable at hand; `take` gives what is there."""

    def __init__(self, connection: Connection, stream: str, durable: str, *, batch: int = 256) -> None:
        self._connection = connection
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._batch = batch
        self._ready: deque[Msg] = deque()
        self._some = asyncio.Event()
        self._kick = asyncio.Event()
        self._generation = 0
        self._pending = 0
        self._heard = 0.0
        self.problem: str | None = None

    async def start(self) -> None:
        """Open the inbox and begin to pull."""
        self._inbox = self._connection.client.new_inbox()
        self._subscription = await self._connection.client.subscribe(
            f"{self._inbox}.*", cb=self._on_message, pending_bytes_limit=512 * 2**20, pending_msgs_limit=1_000_000
        )
        self._connection.reconnected.append(self.rearm)
        self._task = asyncio.create_task(self._arm())

    async def take(self, most: int) -> Sequence[Msg]:
        """Wait for a message, and return it with those that are there already, at most `most`."""
        while not self._ready:
            self._some.clear()
            await self._some.wait()
        taken = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
        if self._pending <= 0:
            self._kick.set()
        return taken

    def waiting(self) -> list[str]:
        """The acknowledgement subjects of what is at hand and not taken yet."""
        return [message.reply for message in self._ready]

    def rearm(self) -> None:
        """Ask again: the outstanding pull is lost."""
        self._pending = 0
        self._kick.set()

    async def stop(self) -> None:
        """Pull no more; what was not taken goes back when its ack wait is over, or at once if it is refused."""
        self._connection.reconnected.remove(self.rearm)
        await cancel(self._task)
        if self._connection.connected:
            await self._subscription.unsubscribe()
        while self._ready:
            await self._connection.send(self._ready.popleft().reply, b"-NAK")

    async def _on_message(self, message: Msg) -> None:
        self._heard = time.monotonic()
        # status frames carry the inbox subject, data frames the stream's: the reply tells them apart
        if message.reply.startswith("$JS.ACK"):
            self._pending -= 1
            self.problem = None
            self._ready.append(message)
            self._some.set()
            return
        status = (message.headers or {}).get("Status")
        if not message.subject.endswith(f".{self._generation}"):
            return
        if status == "100":  # the durable is there, and has nothing
            self.problem = None
            return
        if status == "503":  # nobody serves this durable, as far as this node knows
            self._connection.watch.unanswered()
        self.problem = None if status in {"404", "408"} else (message.headers or {}).get("Description", status)
        self.rearm()

    async def _arm(self) -> None:
        while True:
            if self._connection.connected and self._pending <= 0 and len(self._ready) < self._batch:
                await self._pull()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._kick.wait(), HEARTBEAT_S)
            self._kick.clear()
            if self.problem:  # the durable is not there (yet): do not ask in a tight loop
                await asyncio.sleep(0.2)
            if self._pending > 0 and time.monotonic() - self._heard > 2 * HEARTBEAT_S:
                self._pending = 0

    async def _pull(self) -> None:
        self._generation += 1
        self._pending = self._batch
        self._heard = time.monotonic()
        request = {"batch": self._batch, "expires": int(EXPIRES_S * 1e9), "idle_heartbeat": int(HEARTBEAT_S * 1e9)}
        reply = f"{self._inbox}.{self._generation}"
        await self._connection.send(self._subject, json.dumps(request).encode(), reply)
