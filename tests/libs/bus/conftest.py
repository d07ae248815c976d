"""The trainer's delivery, with a handler of the test's own, on a real broker and a real database."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import pytest
from sqlalchemy import func, text
from sqlmodel import Field, SQLModel, select

from headrace.bus import (
    BusSettings,
    Clock,
    Connection,
    Consumer,
    DeadLetter,
    Inbox,
    MessageProcessor,
    Outbox,
    Relay,
    RetryPolicy,
    Store,
    UnitOfWork,
    connect,
    utc_now,
)
from headrace.bus.checkpoints import CheckpointWatch
from headrace.bus.processor import BatchHandler
from headrace.chassis.database import create_engine
from headrace.contracts import (
    CONTENT_TYPE,
    DatasetRef,
    Envelope,
    Event,
    TrainingRequested,
    TrainingStarted,
    encode,
    load_topology,
    wrap,
)
from headrace.contracts.topology import ConsumerSpec
from headrace.testkit.broker import Broker, serving
from headrace.testkit.waiting import eventually

Handling = Callable[[TrainingRequested, UnitOfWork], Awaitable[None]]
HURRIED = RetryPolicy(attempts=3)
ACK_WAIT_S = 1


class Effect(SQLModel, table=True):
    """What handling a message left behind; two rows for one message are a fault."""

    __tablename__ = "bus_test_effect"

    id: int | None = Field(default=None, primary_key=True)
    message_id: str = Field(index=True)
    model: str


NAMES = (
    "inbox",
    "deduplication",
    "stream_checkpoint",
    "outbox",
    "dead_letter",
    "deferred",
    "loop_item",
    "bus_test_effect",
)
TABLES = [SQLModel.metadata.tables[name] for name in NAMES]


async def leave_effect(event: TrainingRequested, work: UnitOfWork) -> None:
    """The plain handler: one row, one event."""
    assert work.cause is not None
    work.session.add(Effect(message_id=work.cause.id, model=event.model))
    work.emit(started(event.model))


def started(model: str) -> TrainingStarted:
    """An event for a handler to say."""
    data = DatasetRef(name="d", version=1, digest="f" * 64)
    return TrainingStarted(run="r", model=model, dataset=data, framework="f", estimator="e", params={}, seed=0)


class Plant:
    """One process of the trainer: connection, relay, consumer."""

    def __init__(
        self,
        bus: BusSettings,
        database_url: str,
        handler: Handling = leave_effect,
        *,
        retry_policy: RetryPolicy = HURRIED,
        clock: Clock = utc_now,
        relay: type[Relay] = Relay,
        batch: int = 128,
        batch_subscriptions: Mapping[str, BatchHandler] | None = None,
    ) -> None:
        self._bus, self._url, self._handler = bus, database_url, handler
        self._retry_policy, self._clock, self._relay = retry_policy, clock, relay
        self._batch, self._batch_subscriptions = batch, batch_subscriptions
        self._stack = AsyncExitStack()
        self.store: Store
        self.connection: Connection
        self.relay: Relay
        self.processor: MessageProcessor

    async def __aenter__(self) -> Self:
        engine = create_engine(self._url)
        self._stack.push_async_callback(engine.dispose)
        async with engine.begin() as connection:
            await connection.run_sync(SQLModel.metadata.create_all, tables=TABLES)
        self.store = Store(engine)
        self.connection = await connect(self._bus, name="plant")
        self._stack.push_async_callback(self.connection.close)
        self.relay = self._relay(self.store, self.connection, clock=self._clock)
        await self.relay.start()
        self._stack.push_async_callback(self.relay.stop)
        handlers: dict[type[Event], Any] = {TrainingRequested: self._handler}
        self.processor = MessageProcessor(
            "trainer",
            self.store,
            self.connection,
            handlers,
            clock=self._clock,
            batch_subscriptions=self._batch_subscriptions,
            retry_policy=self._retry_policy,
        )
        for spec in load_topology().consumers("trainer"):
            consumer = Consumer(self.connection, spec, self.processor, batch=self._batch)
            in_hand = await CheckpointWatch(self.connection, self.store, spec).compare()
            if in_hand is not None:
                self.processor.suspect(in_hand)
            await consumer.start()
            self._stack.push_async_callback(consumer.stop)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def rows(self, table: type[SQLModel]) -> list[Any]:
        """Everything in a table."""
        async with self.store.read() as session:
            return list((await session.exec(select(table))).all())

    async def effects(self) -> list[str]:
        """The ids of the messages that had an effect, one entry an effect."""
        return sorted(row.message_id for row in await self.rows(Effect))

    async def unsent(self) -> int:
        """Events that wait in the outbox."""
        return await self.relay.unsent()

    async def inbox(self, message_id: str) -> Inbox | None:
        """What the inbox knows of a message."""
        async with self.store.read() as session:
            return await session.get(Inbox, message_id)

    async def dead_letter(self) -> list[DeadLetter]:
        """What is set aside."""
        return await self.rows(DeadLetter)

    async def outbox(self) -> list[Outbox]:
        """What was said."""
        return await self.rows(Outbox)


class Asker:
    """Whoever makes requests, and reads the streams to see what became of them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def ask(self, model: str = "flights", *, id: str | None = None, **envelope: Any) -> Envelope:
        """Request a training; the broker does not know that it is the same one when it is asked again."""
        request = TrainingRequested(model=model, reason="test")
        said = wrap(request, source="headrace/monitor", id=id or str(uuid4()), time=utc_now(), **envelope)
        await self.say(said.nats_subject, encode(said))
        return said

    async def say(self, subject: str, data: bytes, headers: dict[str, str] | None = None) -> None:
        """Publish bytes, where the broker would have put them: a request without a name is the anonymous outsider's."""
        subject = subject.replace("headrace.request.", "headrace.from.outsider.request.")
        await self.connection.publish_and_wait(subject, data, headers or {"Content-Type": CONTENT_TYPE})

    async def count(self, stream: str) -> int:
        """How many messages a stream holds."""
        found = await self.connection.request(f"STREAM.INFO.{stream}")
        messages: int = found["state"]["messages"]
        return messages


async def hurry(broker: Broker) -> None:
    """What is not acknowledged comes back after a second."""
    admin = await connect(broker.settings("provisioner"), name="hurry")
    for spec in load_topology().consumers("trainer"):
        await set_ack_wait(admin, spec)
    await admin.close()


async def set_ack_wait(admin: Connection, spec: ConsumerSpec) -> None:
    """Change one setting of a durable."""
    info = await admin.request(f"CONSUMER.INFO.{spec.stream}.{spec.durable}")
    config = info["config"] | {"ack_wait": ACK_WAIT_S * 10**9}
    request = {"stream_name": spec.stream, "config": config}
    await admin.request(f"CONSUMER.DURABLE.CREATE.{spec.stream}.{spec.durable}", request)


async def prepare(database_url: str) -> None:
    """The tables, before any plant runs."""
    engine = create_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all, tables=TABLES)
    await engine.dispose()


async def finish(broker: Broker, database_url: str, messages: int) -> None:
    """Start anew on what a dead process has left, in this process: until all is done and nothing waits to be said."""
    bus = broker.settings("trainer")
    async with Plant(bus, database_url, batch=8, retry_policy=RetryPolicy(attempts=2)) as running:

        async def done() -> bool:
            return len(await running.effects()) >= messages and not await running.unsent()

        await eventually(done, timeout=60)


async def counted(database_url: str) -> dict[str, int]:
    """What is in a database that no plant holds open: effects, distinct messages with one, events, unsent events."""
    engine = create_engine(database_url)
    async with engine.connect() as connection:
        queries = {
            "effects": select(func.count()).select_from(Effect),
            "messages": select(func.count(func.distinct(Effect.message_id))),
            "said": select(func.count()).select_from(Outbox),
            "unsent": select(func.count()).select_from(Outbox).where(text("sent_at IS NULL")),
        }
        found = {name: int((await connection.execute(query)).scalar_one()) for name, query in queries.items()}
    await engine.dispose()
    return found


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[Broker]:
    """A broker that syncs the disk before it acknowledges, as in production: these tests kill it."""
    async with serving(tmp_path / "nats", sync_always=True) as broker:
        yield broker


@pytest.fixture
async def asker(nats_server: Broker) -> AsyncIterator[Asker]:
    """Somebody who may do everything, and waits little for what is not acknowledged."""
    await hurry(nats_server)
    connection = await connect(nats_server.settings("provisioner"), name="asker")
    yield Asker(connection)
    await connection.close()


@pytest.fixture
def plant(nats_server: Broker, database_url: str) -> Callable[..., Plant]:
    """Processes of the trainer, entered with `async with`, each around a handler."""

    def make(handler: Handling = leave_effect, *, database: str = database_url, **settings: Any) -> Plant:
        return Plant(nats_server.settings("trainer"), database, handler, **settings)

    return make


@pytest.fixture
def handlers() -> Any:
    """The plain handler and its parts, for tests that build on them."""
    return type("Handlers", (), {"leave_effect": staticmethod(leave_effect), "started": staticmethod(started)})


@pytest.fixture
def ledger() -> Any:
    """Looking into a database that no plant holds open."""
    parts = {"prepare": prepare, "finish": finish, "counted": counted}
    return type("Ledger", (), {name: staticmethod(part) for name, part in parts.items()})


@pytest.fixture
async def admin(nats_server: Broker) -> AsyncIterator[Connection]:
    """Somebody who may do everything."""
    connection = await connect(nats_server.settings("provisioner"), name="admin")
    yield connection
    await connection.close()
