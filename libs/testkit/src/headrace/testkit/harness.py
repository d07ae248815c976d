"""One service in this process, on a real broker and database, and whoever else it needs to hear from."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Self, TypeVar
from uuid import uuid4

import httpx

from headrace.bus import Connection, Follower, connect
from headrace.bus.tasks import cancel
from headrace.chassis import Service
from headrace.chassis.run import running
from headrace.contracts import (
    CONTENT_TYPE,
    ContractError,
    Envelope,
    Event,
    decode_message,
    encode,
    load_topology,
    wrap,
)
from headrace.testkit.broker import Broker
from headrace.testkit.clock import FakeClock
from headrace.testkit.databases import copy_migrated
from headrace.testkit.waiting import eventually

E = TypeVar("E", bound=Event)
Build = Callable[[], Service]
HEARD = ("EVENTS", "REQUESTS", "PREDICTIONS")  # streams


class Harness:
    """`say` what others would say, wait for what the service says, call its HTTP, `restart` it."""

    def __init__(self, broker: Broker, build: Build, clock: FakeClock | None = None) -> None:
        self._broker = broker
        self._build = build
        self._clock = clock
        self._outer = AsyncExitStack()
        self._service = AsyncExitStack()
        self._speakers: dict[str, Connection] = {}
        self._heard_to: dict[str, int] = {}
        self.envelopes: list[Envelope] = []
        self.http: httpx.AsyncClient
        self.app: Any

    async def __aenter__(self) -> Self:
        await self._listen()
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._service.aclose()
        await self._outer.aclose()

    async def restart(self) -> None:
        """Stop the service and start it anew, from its settings alone."""
        await self.stop()
        await self._start()

    async def stop(self) -> None:
        """Stop the service; what is said meanwhile waits for it."""
        await self._service.aclose()
        self._service = AsyncExitStack()

    async def say(self, event: Event, as_: str | None = None, **envelope: Any) -> Envelope:
        """Publish as whoever says such events, or as `as_`; `envelope` may set id, correlationid, traceparent, ...

        Returns the envelope as every reader derives it.
        """
        speaker = as_ or load_topology().says[event.TYPE][0]
        said = wrap(event, **{**self._defaults(speaker), **envelope})
        connection = await self._speaker(speaker)
        headers = {"Nats-Msg-Id": said.id, "Content-Type": CONTENT_TYPE}
        ack = await connection.publish_and_wait(_where(said, speaker), encode(said), headers)
        return decode_message(
            said.nats_subject, headers, encode(said), stream=ack.stream, seq=ack.seq, timestamp=said.time
        )

    async def publish(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None, as_: str = "outsider"
    ) -> None:
        """Publish bytes, as an outsider would; a request of somebody within goes under their name."""
        if not load_topology().is_outsider(as_):
            subject = subject.replace("headrace.request.", f"headrace.from.{as_}.request.")
        await (await self._speaker(as_)).publish_and_wait(subject, data, headers)

    async def heard(
        self,
        kind: type[E],
        key: str | None = None,
        where: Callable[[E], bool] | None = None,
        timeout: float = 30,
    ) -> Envelope:
        """The first event of a type (of a key, where a condition holds), as soon as there is one."""

        def found() -> Envelope | None:
            matching = (each for each in self.all(kind) if key is None or each.subject == key)
            return next((each for each in matching if where is None or where(each.data)), None)  # type: ignore[arg-type]

        try:
            said = await eventually(found, timeout)
        except AssertionError as error:
            others = [f"{each.type} {each.data}"[:300] for each in self.envelopes[-12:]]
            raise AssertionError(f"no {kind.__name__} within {timeout} s; heard were:\n" + "\n".join(others)) from error
        assert said is not None
        return said

    def all(self, kind: type[Event]) -> list[Envelope]:
        """Every event of a type that was said so far, in the order of its stream."""
        return [each for each in self.envelopes if isinstance(each.data, kind)]

    async def quiet(self) -> None:
        """Wait until everything that was published has been handled, and its consequences have been published."""

        async def idle() -> bool:
            return await self._handled() and not await self._unsaid() and await self._overheard()

        await eventually(idle)

    async def _handled(self) -> bool:
        admin = await self._speaker("provisioner")
        for spec in load_topology().consumers(self._name):
            info = await admin.request(f"CONSUMER.INFO.{spec.stream}.{spec.durable}")
            if info["num_pending"] or info["num_ack_pending"]:
                return False
        return True

    async def _unsaid(self) -> int:
        unsent: int = await self.app.state.runtime.relay.unsent()
        return unsent

    async def _overheard(self) -> bool:
        """Whether all that lies in the streams has come to `envelopes`."""
        admin = await self._speaker("provisioner")
        lasts = {name: (await admin.request(f"STREAM.INFO.{name}"))["state"]["last_seq"] for name in HEARD}
        return all(self._heard_to.get(name, 0) >= last for name, last in lasts.items())

    def _defaults(self, speaker: str) -> dict[str, Any]:
        event_id = str(uuid4())
        now = self._clock() if self._clock else datetime.now(UTC)
        return {
            "source": f"headrace/{speaker}",
            "id": event_id,
            "time": now,
            "correlationid": event_id,
            "authid": f"nats:{speaker}",
        }

    async def _start(self) -> None:
        service = self._build()
        self._name = service.name
        if service.migrations is not None:
            await copy_migrated(service.settings.database_url, service.migrations)
        self.app = await self._service.enter_async_context(running(service))
        transport = httpx.ASGITransport(app=self.app)
        self.http = await self._service.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url=f"http://{service.name}")
        )

    async def _listen(self) -> None:
        connection = await self._speaker("provisioner")
        for stream in HEARD:
            follower = await self._outer.enter_async_context(Follower(connection, stream, "headrace.>", start="all"))
            task = asyncio.create_task(self._collect(follower))
            self._outer.push_async_callback(cancel, task)

    async def _collect(self, follower: Follower) -> None:
        async for message in follower:
            with contextlib.suppress(ContractError):  # what a test publishes on purpose
                self.envelopes.append(message.envelope())
            self._heard_to[message.stream] = message.seq

    async def _speaker(self, identity: str) -> Connection:
        if identity not in self._speakers:
            connection = await connect(self._broker.settings(identity), name=f"test-{identity}")
            self._outer.push_async_callback(connection.close)
            self._speakers[identity] = connection
        return self._speakers[identity]


def _where(said: Envelope, speaker: str) -> str:
    """The subject that a speaker publishes to: in an outsider's account it carries no name."""
    outside = load_topology().is_outsider(speaker)
    return said.nats_subject.replace(f".from.{speaker}.", ".") if outside else said.nats_subject
