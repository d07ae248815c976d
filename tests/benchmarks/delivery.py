"""What exactly-once costs: events a second handled and relayed, and how long one is on its way to its handler.

Databases sync at each commit: SQLite with synchronous=FULL, PostgreSQL as it is by default. The broker runs as
nats-py's own figures are measured, without a disk sync a message.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

from harness import Bench, Target, measured, rate
from nats.aio.msg import Msg

from headrace.bus import Connection, Consumer, Handler, Publisher, Relay, Store, UnitOfWork, connect
from headrace.bus.store import utc_now
from headrace.chassis import Service
from headrace.chassis.database import create_engine
from headrace.chassis.process import calm_collector
from headrace.chassis.run import running
from headrace.contracts import AliasMoved, Envelope, RolloutCompleted, encode, load_topology, wrap
from headrace.deployer.handlers import on_alias_moved
from headrace.deployer.service import build
from headrace.deployer.settings import DeployerSettings
from headrace.deployer.tables import TrafficRow
from headrace.testkit.broker import Broker, serving
from headrace.testkit.builders import a
from headrace.testkit.databases import Postgres
from headrace.testkit.waiting import eventually

HANDLED, RELAYED, SINGLE, ROUNDS = 3_000, 10_000, 500, 3
AT_ONCE = 500  # events said by one transaction
IDLE = {0.0: "publish to handler, one by one", 0.01: "the same, 10 ms apart"}  # by the rest between two, in seconds
PUSH = "nats-py push callback"
TARGETS = [Target(IDLE[0.0], PUSH, 0.25)]

NewDatabase = Callable[[], str]


def run() -> Bench:
    """Measure."""
    return measured(Bench("delivery", targets=TARGETS), _run)


async def _run(bench: Bench, root: Path) -> None:
    calm_collector()  # as services do
    files = count()

    def sqlite() -> str:
        return f"sqlite+aiosqlite:///{root}/{next(files)}.db"

    await _durably(bench, root / "sqlite", "SQLite", sqlite)
    postgres = Postgres(sync=True)
    await asyncio.to_thread(postgres.start)
    try:
        await _durably(bench, root / "postgres", "PostgreSQL", postgres.new_database)
    finally:
        await asyncio.to_thread(postgres.stop)
    for rest in IDLE:
        async with serving(root / f"idle{rest}") as broker:
            await _idle(bench, broker, sqlite(), rest)
            await _idle_peer(bench, broker, rest)


async def _durably(bench: Bench, folder: Path, what: str, database: NewDatabase) -> None:
    """What waits for the disk of a database.

    Each database has a broker of its own: with another's it would find that one older, and say everything again.
    """
    for work, handler in ((f"handle durably, {what}", _least), ("the same, deployer's alias.moved", on_alias_moved)):
        async with serving(folder / handler.__name__) as broker:
            await _handling(bench, broker, database(), work, handler)
    async with serving(folder / "relay") as broker:
        await _relaying(bench, broker, database(), f"relay and mark, {what}")


async def _handling(bench: Bench, broker: Broker, database: str, work: str, handler: Handler) -> None:
    """The least that a handler can do, a row of state and one event, or one of ours."""
    registry = await connect(broker.settings("registry"), name="bench")
    admin = await connect(broker.settings("provisioner"), name="bench-admin")
    rates = []
    for turn in range(ROUNDS):
        moves = [_move(f"m{turn}-{number}") for number in range(HANDLED)]
        await Publisher(registry).publish_window(moves)
        async with running(_service(broker, database, handler)):
            rates.append(await rate(HANDLED, partial(_handled, admin)))
    bench.add(work, "headrace", "/s", rates)
    await registry.close()
    await admin.close()


async def _relaying(bench: Bench, broker: Broker, database: str, work: str) -> None:
    """From an outbox full of events to all of them acknowledged by the broker and marked in the database."""
    async with running(_service(broker, database, _least)):  # makes the tables
        pass
    connection = await connect(broker.settings("deployer"), name="bench")
    engine = create_engine(database)
    store, rates = Store(engine), []
    for turn in range(ROUNDS):
        for first in range(0, RELAYED, AT_ONCE):
            await _say(store, f"{turn}-{first}")
        relay = Relay(store, connection, clock=utc_now)
        rates.append(await rate(RELAYED, partial(_relayed, relay)))
        await relay.stop()
    bench.add(work, "headrace", "/s", rates)
    await engine.dispose()
    await connection.close()


async def _say(store: Store, root: str) -> None:
    async with store.write() as session:
        work = UnitOfWork(session, "deployer", "service:deployer", utc_now(), root)
        for _ in range(AT_ONCE):
            work.emit(a(RolloutCompleted, model="bench"))


async def _relayed(relay: Relay) -> None:
    await relay.start()
    await eventually(lambda: _nothing_waits(relay))


async def _nothing_waits(relay: Relay) -> bool:
    return await relay.unsent() == 0


async def _idle(bench: Bench, broker: Broker, database: str, rest: float) -> None:
    """From the call that publishes to the first line of the handler; nothing else is in hand."""
    registry = await connect(broker.settings("registry"), name="bench")
    sent, waits, seen = 0.0, list[float](), asyncio.Event()

    async def on_moved(event: AliasMoved, work: UnitOfWork) -> None:
        waits.append((time.perf_counter() - sent) * 1e3)
        seen.set()

    async with running(_service(broker, database, on_moved)) as app:
        consumer = await _consumer(app.state.runtime.consumers)
        for number in range(SINGLE):
            move = _move(f"idle{number}")
            seen.clear()
            sent = time.perf_counter()
            await Publisher(registry).publish_window([move])
            await seen.wait()
            await consumer.rest()
            await asyncio.sleep(rest)
    _add(bench, rest, "headrace", waits)
    await registry.close()


async def _idle_peer(bench: Bench, broker: Broker, rest: float) -> None:
    """The same bytes by nats-py alone: no schema, no inbox, an acknowledgement whatever happens."""
    peer = await connect(broker.settings("provisioner"), name="bench-peer")
    stream = peer.client.jetstream()
    await stream.add_stream(name="PEER", subjects=["peer.>"])
    payload, sent, waits, seen = encode(_move("idle")), 0.0, list[float](), asyncio.Event()

    async def on_message(message: Msg) -> None:
        waits.append((time.perf_counter() - sent) * 1e3)
        await message.ack()
        seen.set()

    await stream.subscribe("peer.idle", durable="bench", cb=on_message, manual_ack=True)
    for _ in range(SINGLE):
        seen.clear()
        sent = time.perf_counter()
        await stream.publish("peer.idle", payload)
        await seen.wait()
        await asyncio.sleep(rest)
    _add(bench, rest, PUSH, waits)
    await peer.close()


def _add(bench: Bench, rest: float, who: str, waits: list[float]) -> None:
    warm = waits[SINGLE // 10 :]
    bench.add(IDLE[rest], who, "ms", warm, p99=statistics.quantiles(warm, n=100)[98])


async def _consumer(consumers: list[Consumer]) -> Consumer:
    """The one that hears events, from when it listens."""
    (found,) = [each for each in consumers if each.spec.stream == "EVENTS"]
    await eventually(lambda: found.started)
    return found


def _service(broker: Broker, database: str, handler: Handler) -> Service:
    settings = DeployerSettings(
        nats_url=broker.url, nats_nkey_seed_file=broker.seed_file("deployer"), database_url=database
    )
    return replace(build(settings), subscriptions={AliasMoved: handler}, background=())


async def _least(event: AliasMoved, work: UnitOfWork) -> None:
    work.session.add(TrafficRow(model=event.model, revision=1, body="{}"))
    work.emit(a(RolloutCompleted, model=event.model))


async def _handled(admin: Connection) -> None:
    """Until nothing waits for the service, and nothing is in its hands."""
    (spec,) = [spec for spec in load_topology().consumers("deployer") if spec.stream == "EVENTS"]
    while True:
        info = await admin.request(f"CONSUMER.INFO.{spec.stream}.{spec.durable}")
        if not info["num_pending"] and not info["num_ack_pending"]:
            return
        await asyncio.sleep(0.01)


def _move(model: str) -> Envelope:
    event = a(AliasMoved, model=model, alias="champion")
    return wrap(event, source="headrace/registry", id=f"move-{model}", time=datetime.now(UTC))
