"""Seeing that the client underneath is alive, and that the node it is connected to can do its work.

nats-py's task that reconnects dies of errors that it does not expect, such as uvloop's RuntimeError on a transport
that was reset in the middle of the handshake, and so do its tasks that read and flush: the client is then deaf for
good. And a node of a cluster that is cut off from the others keeps its clients, and answers their pings.
"""

import asyncio
import time
from typing import Any

import structlog
from nats.aio.client import Client

log = structlog.get_logger()

EVERY_S = 0.5
DEAF_S = 3.0  # longer than a cluster usually needs to find a new leader; then another node may know one


class Watch:
    """Looks twice a second; connects again where nothing else would."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._unanswered: float | None = None

    def answered(self) -> None:
        """The broker has done something that was asked of it."""
        self._unanswered = None

    def unanswered(self) -> None:
        """It has not, or said that nobody is there who could."""
        self._unanswered = self._unanswered or time.monotonic()

    async def run(self) -> None:
        """Until the client is closed."""
        while not self._client.is_closed:
            await asyncio.sleep(EVERY_S)
            await self._look()

    async def _look(self) -> None:
        client = self._client
        if not client.is_connected:
            if _ended(client._reconnection_task):
                log.warning("reconnecting_had_ended")
                client._reconnection_task = asyncio.create_task(client._attempt_reconnect())
        elif _ended(client._reading_task) or _ended(client._flusher_task):
            log.warning("connection_was_deaf")
            await client.force_reconnect()
        elif self._is_deaf() and len(client.servers) > 1:
            log.warning("node_does_not_answer", url=client.connected_url and client.connected_url.netloc)
            self._unanswered = None
            await client.force_reconnect()

    def _is_deaf(self) -> bool:
        return self._unanswered is not None and time.monotonic() - self._unanswered > DEAF_S


def _ended(task: "asyncio.Task[Any] | None") -> bool:
    return task is not None and task.done()
