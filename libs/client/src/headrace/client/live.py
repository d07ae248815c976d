"""The bus as a person uses it: live events as they come, and requests published by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

from headrace.bus import BrokerAway, BusSettings, Connection, Follower, PubAck, PublishRefused, connect
from headrace.bus.messages import RawMessage
from headrace.client.addresses import Stack
from headrace.client.errors import HeadraceError, TimedOut, Unreachable
from headrace.contracts import ContractError, origin_of
from headrace.contracts.envelope import SOURCE
from headrace.contracts.origin import CLAIMS
from headrace.contracts.subjects import ATTRIBUTED, FROM, unattributed
from headrace.contracts.topology import load_topology

IDENTITY = "operator"
CONNECT_S = 10.0
Told = Callable[[dict[str, Any]], None]


async def publish(stack: Stack, subject: str, payload: bytes) -> PubAck:
    """Publish one message; raises HeadraceError with the broker's reason when it is refused.

    A request goes under the name of the operator, since the key to the broker is the operator's.
    """
    subject = subject.replace("headrace.request.", f"{FROM}{IDENTITY}.request.", 1)
    async with connected(stack) as connection:
        try:
            return await connection.publish_and_wait(subject, payload)
        except (PublishRefused, BrokerAway) as error:
            raise HeadraceError(f"{subject}: {error}") from error


async def watch(stack: Stack, told: Told, *, patterns: tuple[str, ...] = (), ready: Event | None = None) -> None:
    """Tell every event that comes from now on, of the streams that carry the patterns; runs until it is cancelled."""
    async with connected(stack) as connection:
        followers = [Follower(connection, stream, pattern, start="new") for stream, pattern in streams_of(patterns)]
        tasks = [asyncio.create_task(_follow(follower, told)) for follower in followers]
        try:
            await asyncio.gather(*(follower.caught_up.wait() for follower in followers))
            if ready is not None:
                ready.set()
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()


def streams_of(patterns: tuple[str, ...]) -> list[tuple[str, str]]:
    """Which streams to follow, with which filter; everything but raw advisories by default."""
    streams = load_topology().streams
    if not patterns:
        return [(name, ">") for name in ("EVENTS", "REQUESTS", "PREDICTIONS", "PARKED") if name in streams]
    found = [
        (name, pattern)
        for pattern in map(_from_anybody, patterns)
        for name, stream in streams.items()
        if any(pattern.startswith(subject.rstrip(">")) for subject in stream.subjects)
    ]
    if not found:
        raise HeadraceError(f"no stream carries {', '.join(patterns)}; subjects begin like headrace.training.completed")
    return found


def _from_anybody(pattern: str) -> str:
    """A pattern of events that several say, from any of them: `headrace.from.*.request.>` for `headrace.request.>`."""
    first, _, rest = pattern.partition(".")
    word = ATTRIBUTED.get(rest.partition(".")[0])
    return f"{first}.{word}.*.{rest}" if word else pattern


class Listener:
    """Watches in a thread of its own; a `with` block that tells events until it ends."""

    def __init__(self, stack: Stack, told: Told) -> None:
        self._stack = stack
        self._told = told
        self._ready = Event()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(CONNECT_S):
            raise TimedOut(f"the broker at {self._stack.nats_url} could not be watched: {self._error or 'no answer'}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(5)

    def _run(self) -> None:
        self._task = self._loop.create_task(self._watch())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            self._error = error
        finally:
            self._loop.close()

    def _watch(self) -> Coroutine[Any, Any, None]:
        return watch(self._stack, self._told, ready=self._ready)


@asynccontextmanager
async def connected(stack: Stack) -> AsyncIterator[Connection]:
    """A connection as the operator; raises Unreachable when the broker is not there."""
    if stack.nats_url is None:
        raise HeadraceError("the broker's address is not known; set HEADRACE_NATS_URL")
    settings = BusSettings(stack.nats_url, IDENTITY, stack.nats_seed_file, _bus_ca(stack))
    try:
        connection = await asyncio.wait_for(connect(settings, name="headrace-cli"), CONNECT_S)
    except (TimeoutError, OSError, BrokerAway) as error:
        raise Unreachable(
            f"the broker does not answer at {stack.nats_url}; `headrace status` shows what runs"
        ) from error
    try:
        yield connection
    finally:
        await connection.close()


def _bus_ca(stack: Stack) -> Path | None:
    """The CA for a broker over TLS; one that is asked in the clear is not asked for a certificate."""
    return stack.tls_ca if (stack.nats_url or "").startswith("tls://") else None


async def _follow(follower: Follower, told: Told) -> None:
    async with follower:
        async for message in follower:
            told(attributed(message))


def attributed(message: RawMessage) -> dict[str, Any]:
    """A message as its CloudEvent, said by whom its place proves; what an outsider says of that are its `claims`."""
    document = document_of(message.data, message.subject, dict(message.headers))
    try:
        origin = origin_of(message.subject)
    except ContractError:
        return document
    if origin.authenticates:
        return document
    claims = {name: document[name] for name in CLAIMS if document.get(name)}
    given = str(document.get("id") or f"{message.stream}-{message.seq}")
    own = {name: origin.own(str(document[name])) for name in ("correlationid", "causationid") if document.get(name)}
    proved = {"id": origin.own(given), "source": f"{SOURCE}{origin.speaker}", "authid": origin.actor}
    return {**document, **proved, **own, "claims": claims}


def document_of(data: bytes, subject: str, headers: dict[str, str]) -> dict[str, Any]:
    """A message as its CloudEvent; what is none (a bare request, a dead letter) under its subject."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):  # one message that is nested too deep does not end the watch
        document = None
    if isinstance(document, dict) and "specversion" in document:
        return document
    _, aggregate, fact, key = [*unattributed(subject).split("."), "", "", ""][:4]
    kind = f"headrace.{aggregate}.{fact}.v1"
    return {
        "type": kind,
        "source": "",
        "id": "",
        "subject": key,
        "data": document or {},
        "headers": headers,
    }
