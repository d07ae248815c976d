"""Events a second: published typed and acknowledged, handled durably; beside nats-py with plain bytes.

The broker runs as nats-py's own figures are measured, without a disk sync a message; handling is on SQLite with
synchronous=FULL: inbox, state, outbox and one commit a batch.
"""

import asyncio
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
from harness import Bench, Target, peer
from nats.js.client import JetStreamContext

from headrace.bus import Connection, Handler, Publisher, Work, connect
from headrace.bus.messages import raw
from headrace.bus.pull import PullLoop
from headrace.chassis import Service
from headrace.chassis.run import running
from headrace.contracts import (
    AliasMoved,
    Envelope,
    RolloutCompleted,
    TrainingCompleted,
    TrainingProgressed,
    encode,
    load_topology,
    wrap,
)
from headrace.deployer.handlers import on_alias_moved
from headrace.deployer.service import build
from headrace.deployer.settings import DeployerSettings
from headrace.deployer.tables import TrafficRow
from headrace.testkit.broker import Broker, started
from headrace.testkit.builders import a

EVENTS, HANDLED, CONSUMED, SINGLE, ROUNDS = 20_000, 3_000, 10_000, 500, 3
CONSUME, IDLE = "consumed typed, acknowledged", "publish to handler, idle"
PUBLISH, HANDLE = "publish, acknowledged, windowed", "handle durably (SQLite, FULL)"


TARGETS = [
    Target(PUBLISH, "nats-py publish_async", 0.6),
    Target(PUBLISH, "FastStream", 1.8),
    Target(CONSUME, "FastStream", 2.5),
]


def run() -> Bench:
    """Measure."""
    bench = Bench("bus", targets=TARGETS)
    with TemporaryDirectory() as folder:
        uvloop.run(_run(bench, Path(folder)))  # as services run
    return bench


async def _run(bench: Bench, root: Path) -> None:
    broker = await started(root / "nats")
    try:
        await _publishing(bench, broker)
        await _consuming(bench, broker)
        for work, handler in ((HANDLE, _least), ("the same, deployer's alias.moved", on_alias_moved)):
            async with _broker(root / handler.__name__) as own:
                await _handling(bench, own, root, work, handler)
        async with _broker(root / "idle") as own:
            await _idle(bench, own, root)
        await asyncio.to_thread(_faststream, bench, broker)
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


@asynccontextmanager
async def _broker(folder: Path) -> AsyncIterator[Broker]:
    """A broker for one database: with another's it would find that one older, and say everything again."""
    broker = await started(folder)
    try:
        yield broker
    finally:
        await asyncio.to_thread(broker.remove)


async def _handling(bench: Bench, broker: Broker, root: Path, work: str, handler: Handler) -> None:
    """The least that a handler can do, a row of state and one event, and one of ours."""
    registry = await connect(broker.settings("registry"), name="bench")
    admin = await connect(broker.settings("provisioner"), name="bench-admin")
    rates = []
    for turn in range(ROUNDS):
        moves = [_move(f"m{turn}-{number}") for number in range(HANDLED)]
        await Publisher(registry).publish_window(moves)
        async with running(_service(broker, root / f"{handler.__name__}.db", handler)):
            rates.append(await _rate(HANDLED, partial(_handled, admin)))
    bench.add(work, "headrace", "/s", rates)
    await registry.close()
    await admin.close()


async def _idle(bench: Bench, broker: Broker, root: Path) -> None:
    """From the call that publishes to the first line of the handler, one event at a time."""
    registry = await connect(broker.settings("registry"), name="bench")
    sent: dict[str, float] = {}
    waits: list[float] = []
    seen = asyncio.Event()

    async def on_moved(event: AliasMoved, work: Work) -> None:
        waits.append((time.perf_counter() - sent[event.model]) * 1000)
        seen.set()

    async with running(_service(broker, root / "idle.db", on_moved)):
        for number in range(SINGLE):
            seen.clear()
            sent[model := f"idle{number}"] = time.perf_counter()
            await Publisher(registry).publish_window([_move(model)])
            await seen.wait()
            await asyncio.sleep(0.01)
    waits = waits[SINGLE // 10 :]
    bench.add(IDLE, "headrace", "ms", waits, p99=statistics.quantiles(waits, n=100)[98])
    await registry.close()


def _faststream(bench: Bench, broker: Broker) -> None:
    python = peer(bench, "faststream", "faststream[nats]", "nkeys")
    if python is None:
        return
    program = Path(__file__).with_name("bus_peer.py")
    told = [str(python), str(program), broker.url, str(broker.seed_file("provisioner")), str(EVENTS)]
    done = subprocess.run(told, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        bench.skipped.append(f"FastStream: {done.stderr.strip().splitlines()[-1]}")
        return
    publish, consume = map(float, done.stdout.split())
    bench.add(PUBLISH, "FastStream", "/s", [publish])
    bench.add(CONSUME, "FastStream", "/s", [consume])


async def _consuming(bench: Bench, broker: Broker) -> None:
    """Read, decoded and validated, and acknowledged: what the intake does before any handler."""
    ours = await connect(broker.settings("monitor"), name="bench")
    (spec,) = [each for each in load_topology().consumers("monitor") if each.stream == "EVENTS"]
    trainer = await connect(broker.settings("trainer"), name="bench")
    said = [_completed(number) for number in range(CONSUMED)]
    await Publisher(trainer).publish_window(said)
    loop = PullLoop(ours, spec.stream, spec.durable)
    await loop.start()
    start, count = time.perf_counter(), 0
    while count < CONSUMED:
        for message in await loop.take(256):
            raw(message).envelope()
            await ours.send(message.reply, b"+ACK")
            count += 1
    bench.add(CONSUME, "headrace", "/s", [CONSUMED / (time.perf_counter() - start)])
    await loop.stop()
    await ours.close()
    await trainer.close()


def _completed(number: int) -> Envelope:
    event = a(TrainingCompleted, model="bench", run=f"run-{number}")
    return wrap(event, source="headrace/trainer", id=f"completed-{number}", time=datetime.now(UTC))


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
