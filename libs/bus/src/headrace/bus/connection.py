"""One connection to the broker that never gives up, and says truly how it is.

nats-py's defaults give up after 60 attempts, without jitter, and a denied publish looks like a timeout
(see How it fails in the README); this is where each of these is put right.
"""

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nats
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from headrace.bus.errors import BrokerAway, PublishRefused, error_of
from headrace.bus.settings import BusSettings
from headrace.bus.tasks import cancel
from headrace.bus.watch import Watch

log = structlog.get_logger()

RECONNECT_WAIT_S = 0.25
RECONNECT_JITTER_S = 0.25
PING_S = 10
ACK_TIMEOUT_S = 5.0
BREATHE = 64  # messages of a batch published between two looks at what else waits
SWEEP_EVERY = 65_536  # publishes after which acknowledgements that nobody awaits any more are forgotten
DENIED = re.compile(r"permissions violation for (publish|subscription) to \"?([^\"\s]+)", re.IGNORECASE)

Callback = Callable[[], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class PubAck:
    """The broker's word that it has stored a message."""

    stream: str
    seq: int
    duplicate: bool = False


class Connection:
    """A connection with an identity: publishing with acknowledgements, API requests, reconnect callbacks."""

    def __init__(self, client: Client, identity: str) -> None:
        self.client = client
        self.identity = identity
        self.denied: dict[str, int] = {}
        self.reconnected: list[Callback] = []
        self._waiting: dict[str, tuple[asyncio.Future[PubAck], str]] = {}
        self._next = 0
        self._prefix = ""
        self._opening: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self.watch = Watch(client)
        self.opened = asyncio.Event()
        self.closing = False

    @property
    def nc(self) -> Client:
        """The client underneath, for what this class does not offer."""
        return self.client

    @property
    def connected(self) -> bool:
        """Whether the broker is there right now."""
        return self.client.is_connected

    async def start(self) -> None:
        """Open the one inbox that all publish acknowledgements come back to."""
        inbox = self.client.new_inbox()
        self._prefix = f"{inbox}."
        await self.client.subscribe(f"{inbox}.*", cb=self._on_ack)
        self._watching = asyncio.create_task(self.watch.run())
        self.opened.set()

    async def publish(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> asyncio.Future[PubAck]:
        """Send one message; the future is done when the broker has stored it.

        It raises PublishRefused where the broker said no, and BrokerAway when the connection was lost meanwhile:
        then nobody knows whether it was stored, and it must be sent again under the same Nats-Msg-Id.
        """
        if not self.client.is_connected:
            raise BrokerAway("not connected")
        self._next += 1
        if self._next % SWEEP_EVERY == 0:
            self._waiting = {token: entry for token, entry in self._waiting.items() if not entry[0].done()}
        token = str(self._next)
        future: asyncio.Future[PubAck] = asyncio.get_running_loop().create_future()
        self._waiting[token] = (future, subject)
        try:  # nats-py changes the headers it is given
            await self.client.publish(subject, payload, self._prefix + token, dict(headers) if headers else None)
        except (nats.errors.ConnectionClosedError, nats.errors.OutboundBufferLimitError) as error:
            self._waiting.pop(token, None)
            raise BrokerAway(str(error)) from error
        except (nats.errors.Error, ValueError) as error:  # too large, or no subject
            self._settle(token, error=PublishRefused(400, f"{subject}: {error}"))
        return future

    async def publish_batch(
        self, messages: Sequence[tuple[str, bytes, Mapping[str, str] | None]]
    ) -> asyncio.Future[PubAck]:
        """Send messages of one stream that are stored all together, in their order, or not at all (at most 1,000).

        The stream must allow atomic batches. Errors are those of `publish`, of the whole batch.
        """
        if not self.client.is_connected:
            raise BrokerAway("not connected")
        batch = f"{self._prefix[-12:-1]}-{self._next}"  # unlike any other batch that is on its way
        for number, (subject, payload, headers) in enumerate(messages[:-1], start=1):
            marked = {**(headers or {}), "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
            try:
                await self.client.publish(subject, payload, headers=marked)
            except (nats.errors.Error, ValueError) as error:
                raise BrokerAway(f"{subject}: {error}") from error
            if number % BREATHE == 0:
                await asyncio.sleep(0)
        subject, payload, headers = messages[-1]
        last = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(len(messages)), "Nats-Batch-Commit": "1"}
        return await self.publish(subject, payload, {**(headers or {}), **last})

    async def publish_and_wait(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None, wait: float = ACK_TIMEOUT_S
    ) -> PubAck:
        """Send one message and wait until the broker has stored it."""
        future = await self.publish(subject, payload, headers)
        try:
            return await asyncio.wait_for(future, wait)
        except TimeoutError as error:
            self.watch.unanswered()
            raise BrokerAway(f"no acknowledgement for {subject} within {wait} s") from error

    async def send(self, subject: str, payload: bytes = b"", reply: str = "") -> None:
        """Send without waiting for anything, such as an acknowledgement; lost when the broker is away."""
        if self.client.is_connected:
            await self.client.publish(subject, payload, reply)

    async def request(
        self, subject: str, document: Mapping[str, Any] | None = None, wait: float = 5.0
    ) -> dict[str, Any]:
        """Ask the JetStream API; raises PublishRefused on an error answer, BrokerAway without an answer or a leader."""
        try:
            body = json.dumps(document).encode() if document is not None else b""
            answer = await self.client.request(f"$JS.API.{subject}", body, timeout=wait)
        except (TimeoutError, nats.errors.Error) as error:
            self.watch.unanswered()
            raise BrokerAway(f"no answer to {subject}: {error or type(error).__name__}") from error
        found: dict[str, Any] = json.loads(answer.data)
        if said := self._error_in(found):
            raise said
        return found

    def keep(self, opening: "asyncio.Task[None]", on_fatal: Callable[[str], None]) -> None:
        """Hold on to the task that opens the connection; its failing is fatal, since it fails only for good."""
        self._opening = opening

        def ended(task: "asyncio.Task[None]") -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                on_fatal(f"no connection to the broker: {error or type(error).__name__}")

        opening.add_done_callback(ended)

    async def close(self) -> None:
        """Flush what was sent and close; handlers must have ended before."""
        self.closing = True
        for task in (self._opening, self._watching):
            if task is not None:
                await cancel(task)
        self.fail_waiting("the connection is closed")
        if self.client.is_connected:
            await self.client.flush(2)
        await self.client.close()

    def fail_waiting(self, why: str) -> None:
        """Nobody will answer what was sent before."""
        for token in list(self._waiting):
            self._settle(token, error=BrokerAway(why))

    def note_denied(self, subject: str, what: str = "publish") -> None:
        """The broker refused: count it, and tell who waits at once instead of letting it time out."""
        self.denied[subject] = self.denied.get(subject, 0) + 1
        refused = PublishRefused(403, f"{self.identity} may not {what} to {subject}")
        for token in [token for token, (_, sent) in self._waiting.items() if sent == subject]:
            self._settle(token, error=refused)

    async def _on_ack(self, message: Msg) -> None:
        token = message.subject[len(self._prefix) :]
        if not message.data:  # status frame: no stream listens there
            self.watch.unanswered()
            self._settle(token, error=BrokerAway("no stream takes this subject"))
            return
        answer = json.loads(message.data)
        if error := self._error_in(answer):
            self._settle(token, error=error)
        else:
            self._settle(token, PubAck(answer["stream"], answer["seq"], answer.get("duplicate", False)))

    def _error_in(self, answer: Mapping[str, Any]) -> BrokerAway | PublishRefused | None:
        """What went wrong, if anything did; a node that knows no leader has answered nothing."""
        error = error_of(answer["error"]) if "error" in answer else None
        if isinstance(error, BrokerAway):
            self.watch.unanswered()
        else:
            self.watch.answered()
        return error

    def _settle(self, token: str, ack: PubAck | None = None, error: Exception | None = None) -> None:
        future, subject = self._waiting.pop(token, (None, ""))
        if future is None or future.done():
            return
        if ack is not None:
            self.denied.pop(subject, None)  # allowed again
            future.set_result(ack)
        elif error is not None:
            future.set_exception(error)
            future.exception()  # a future that nobody awaits any more is no error


async def connect(
    settings: BusSettings, *, name: str, on_fatal: Callable[[str], None] = lambda _why: None, wait: bool = True
) -> Connection:
    """Connect and stay connected, however long it takes; without `wait` it returns at once (see Connection.opened).

    `on_fatal` is called when the connection is closed for good, for instance because the identity was revoked:
    the process should end, so that whoever watches it starts it anew.
    """
    client = Client()
    connection = Connection(client, settings.identity)
    seed = _seed(settings)

    async def on_error(error: Exception) -> None:
        denied = DENIED.search(str(error))
        if denied:
            connection.note_denied(denied[2].rstrip('"'), denied[1])
        if "authorization violation" in str(error).lower() and _seed(settings) != seed:
            on_fatal("the broker refuses this key, and its file holds another one by now")  # read at the next start
        log.warning("broker_error", error=str(error) or type(error).__name__)

    async def on_disconnected() -> None:
        connection.fail_waiting("the connection was lost")

    async def on_reconnected() -> None:
        log.info("broker_reconnected", url=settings.url)
        connection.denied.clear()  # what is still refused will be refused again
        for callback in connection.reconnected:
            done = callback()
            if done is not None:
                await done

    async def on_closed() -> None:
        if not connection.closing:
            on_fatal("the connection to the broker is closed for good")

    options: dict[str, Any] = {
        "servers": settings.url.split(","),
        "name": name,
        "inbox_prefix": f"_INBOX_{settings.identity}".encode(),
        "allow_reconnect": True,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": RECONNECT_WAIT_S + random.random() * RECONNECT_JITTER_S,
        "ping_interval": PING_S,
        "max_outstanding_pings": 2,
        "connect_timeout": 3,
        "pending_size": 64 * 2**20,
        "error_cb": on_error,
        "disconnected_cb": on_disconnected,
        "reconnected_cb": on_reconnected,
        "closed_cb": on_closed,
    }
    if seed:
        options["nkeys_seed_str"] = seed
    if tls := settings.tls():
        options["tls"] = tls
    opening = asyncio.create_task(_open(connection, options))
    if wait:
        await opening
    else:
        connection.keep(opening, on_fatal)
    return connection


def _seed(settings: BusSettings) -> str:
    """The identity's key as its file holds it now."""
    return settings.nkey_seed_file.read_text().strip() if settings.nkey_seed_file else ""


async def _open(connection: Connection, options: Mapping[str, Any]) -> None:
    await connection.client.connect(**options)
    await connection.start()
