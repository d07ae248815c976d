"""Events a second: published typed and acknowledged, handled durably; beside nats-py with plain bytes.

The broker runs as nats-py's own figures are measured, without a disk sync a message; handling is on SQLite with
synchronous=FULL: inbox, state, outbox and one commit a batch.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import Bench, Target
from nats.js.client import JetStreamContext

from headrace.bus import Connection, Handler, Publisher, Work, connect
from headrace.chassis import Service
from headrace.chassis.run import running
from headrace.contracts import AliasMoved, Envelope, RolloutCompleted, TrainingProgressed, encode, load_topology, wrap
from headrace.deployer.handlers import on_alias_moved
from headrace.deployer.service import build
from headrace.deployer.settings import DeployerSettings
from headrace.deployer.tables import TrafficRow
from headrace.testkit.broker import Broker, started
from headrace.testkit.builders import a

EVENTS, HANDLED, ROUNDS = 20_000, 3_000, 3
PUBLISH, HANDLE = "publish, acknowledged, windowed", "handle durably (SQLite, FULL)"


def run() -> Bench:
    """Measure."""
    bench = Bench("bus", targets=[Target(PUBLISH, "nats-py publish_async", 0.6)])
    with TemporaryDirectory() as folder:
        asyncio.run(_run(bench, Path(folder)))
    return bench


async def _run(bench: Bench, root: Path) -> None:
    broker = await started(root / "nats")
    try:
        await _publishing(bench, broker)
        await _handling(bench, broker, root)
    finally:
        await asyncio.to_thread(broker.remove)


async def _publishing(bench: Bench, broker: Broker) -> None:
    ours = await connect(broker.settings("trainer"), name="bench")
    theirs = await connect(broker.settings("provisioner"), name="bench-peer")
    stream = theirs.client.jetstream(publish_async_max_pending=4000)
    samples: dict[str, list[float]] = {"headrace": [], "nats-py publish_async": []}
    for turn in range(ROUNDS):
        envelopes = [_progress(f"{turn}-{number}") for number in range(EVENTS)]
        samples["headrace"].append(await _rate(EVENTS, partial(_typed, ours, envelopes)))
        payload = encode(envelopes[0])
        samples["nats-py publish_async"].append(await _rate(EVENTS, partial(_plain, stream, payload)))
    for who, rates in samples.items():
        bench.add(PUBLISH, who, "/s", rates)
    await ours.close()
    await theirs.close()


async def _handling(bench: Bench, broker: Broker, root: Path) -> None:
    """The least that a handler can do, a row of state and one event, and one of ours."""
    registry = await connect(broker.settings("registry"), name="bench")
    admin = await connect(broker.settings("provisioner"), name="bench-admin")
    for work, handler in ((HANDLE, _least), ("the same, deployer's alias.moved", on_alias_moved)):
        rates = []
        for turn in range(ROUNDS):
            moves = [_move(f"m{turn}-{number}-{handler.__name__.strip('_')}") for number in range(HANDLED)]
            await Publisher(registry).publish_window(moves)
            service = _service(broker, root / f"{handler.__name__}-{turn}.db", handler)
            async with running(service):
                rates.append(await _rate(HANDLED, partial(_handled, admin)))
        bench.add(work, "headrace", "/s", rates)
    await registry.close()
    await admin.close()


def _service(broker: Broker, database: Path, handler: Handler) -> Service:
    settings = DeployerSettings(
        nats_url=broker.url,
        nats_nkey_seed_file=broker.seed_file("deployer"),
        database_url=f"sqlite+aiosqlite:///{database}",
    )
    return replace(build(settings), subscriptions={AliasMoved: handler}, background=())


async def _least(event: AliasMoved, work: Work) -> None:
    work.session.add(TrafficRow(model=event.model, revision=1, body="{}"))
    work.emit(a(RolloutCompleted, model=event.model))


async def _rate(count: int, work: Callable[[], Awaitable[None]]) -> float:
    started_at = time.perf_counter()
    await work()
    return count / (time.perf_counter() - started_at)


async def _typed(connection: Connection, envelopes: list[Envelope]) -> None:
    await Publisher(connection).publish_window(envelopes)


async def _plain(stream: JetStreamContext, payload: bytes) -> None:
    for _ in range(EVENTS):
        await stream.publish_async("headrace.training.progressed.bench", payload)
    await stream.publish_async_completed()


async def _handled(admin: Connection) -> None:
    """Until nothing waits for the service, and nothing is in its hands."""
    (spec,) = [spec for spec in load_topology().consumers("deployer") if spec.stream == "EVENTS"]
    while True:
        info = await admin.request(f"CONSUMER.INFO.{spec.stream}.{spec.durable}")
        if not info["num_pending"] and not info["num_ack_pending"]:
            return
        await asyncio.sleep(0.01)


def _progress(number: str) -> Envelope:
    event = a(TrainingProgressed, model="bench", message="as long as an event of ours usually is " * 6)
    return wrap(event, source="headrace/trainer", id=f"progress-{number}", time=datetime.now(UTC))


def _move(model: str) -> Envelope:
    event = a(AliasMoved, model=model, alias="champion")
    return wrap(event, source="headrace/registry", id=f"move-{model}", time=datetime.now(UTC))
