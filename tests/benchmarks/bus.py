"""Events a second: published typed and acknowledged, consumed typed; beside nats-py with plain bytes, and FastStream.

The broker runs as nats-py's own figures are measured, without a disk sync a message.
"""

import asyncio
import subprocess
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from harness import Bench, Target, measured, peer, rate
from nats.js.client import JetStreamContext

from headrace.bus import Connection, Publisher, connect
from headrace.bus.messages import raw
from headrace.bus.pull import PullLoop
from headrace.chassis.process import calm_collector
from headrace.contracts import (
    Envelope,
    TrainingCompleted,
    TrainingProgressed,
    encode,
    load_topology,
    wrap,
)
from headrace.testkit.broker import Broker, serving
from headrace.testkit.builders import a

HEARER = "registry"  # a service that hears what is consumed here
EVENTS, CONSUMED, ROUNDS = 20_000, 10_000, 3
PUBLISH, CONSUME = "publish, acknowledged, windowed", "consumed typed, acknowledged"

TARGETS = [
    Target(PUBLISH, "nats-py publish_async", 0.6),
    Target(PUBLISH, "FastStream", 1.8),
    Target(CONSUME, "FastStream", 2.5),
]


def run() -> Bench:
    """Measure."""
    return measured(Bench("bus", targets=TARGETS), _run)


async def _run(bench: Bench, root: Path) -> None:
    calm_collector()  # as services do; nats-py, in the same process, gains by it too
    async with serving(root / "nats") as broker:
        await _publishing(bench, broker)
        await _consuming(bench, broker)
        await asyncio.to_thread(_faststream, bench, broker)


async def _publishing(bench: Bench, broker: Broker) -> None:
    ours = await connect(broker.settings("trainer"), name="bench")
    theirs = await connect(broker.settings("provisioner"), name="bench-peer")
    stream = theirs.client.jetstream(publish_async_max_pending=4000)
    samples: dict[str, list[float]] = {"headrace": [], "nats-py publish_async": []}
    for turn in range(ROUNDS):
        envelopes = [_progress(f"{turn}-{number}") for number in range(EVENTS)]
        samples["headrace"].append(await rate(EVENTS, partial(_typed, ours, envelopes)))
        payload = encode(envelopes[0])
        samples["nats-py publish_async"].append(await rate(EVENTS, partial(_plain, stream, payload)))
    for who, rates in samples.items():
        bench.add(PUBLISH, who, "/s", rates)
    await ours.close()
    await theirs.close()


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
    """Read, decoded and validated, and acknowledged: what the consumer does before any handler."""
    topology = load_topology()
    assert TrainingCompleted.TYPE in topology.heard_by(HEARER), f"{HEARER} hears it no more: nothing would ever come"
    ours = await connect(broker.settings(HEARER), name="bench")
    (spec,) = [each for each in topology.consumers(HEARER) if each.stream == "EVENTS"]
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


async def _typed(connection: Connection, envelopes: list[Envelope]) -> None:
    await Publisher(connection).publish_window(envelopes)


async def _plain(stream: JetStreamContext, payload: bytes) -> None:
    for _ in range(EVENTS):
        await stream.publish_async("headrace.training.progressed.bench", payload)
    await stream.publish_async_completed()


def _progress(number: str) -> Envelope:
    event = a(TrainingProgressed, model="bench", message="as long as an event of ours usually is " * 6)
    return wrap(event, source="headrace/trainer", id=f"progress-{number}", time=datetime.now(UTC))
