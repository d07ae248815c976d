"""FastStream on JetStream: `bus_peer.py URL SEED_FILE COUNT` prints events a second published and consumed.

Its defaults: typed by pydantic, published one by one in windows of 256 with acknowledgement, pulled in batches of 200.
Run by the peer's own interpreter.
"""

import asyncio
import sys
import time

import nats
from faststream.nats import JStream, NatsBroker, PullSub
from pydantic import BaseModel

URL, SEED, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])
SUBJECT = "faststream.bench"


class Data(BaseModel):
    """As long as an event of ours usually is."""

    run: str
    model: str
    harness: str
    step: int
    of: int
    message: str


class Envelope(BaseModel):
    """A CloudEvent."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    time: str
    data: Data


async def main() -> None:
    """Publish, then consume what was published."""
    admin = await nats.connect(URL, nkeys_seed=SEED)
    await admin.jetstream().add_stream(name="FASTSTREAM", subjects=["faststream.>"])
    broker = NatsBroker(URL, nkeys_seed=SEED, logger=None)
    seen, done = 0, asyncio.Event()

    @broker.subscriber(
        SUBJECT, stream=JStream(name="FASTSTREAM", declare=False), pull_sub=PullSub(batch_size=200), durable="bench"
    )
    async def handle(event: Envelope) -> None:
        nonlocal seen
        seen += 1
        if seen >= COUNT:
            done.set()

    data = Data(run="run", model="bench", harness="fitting", step=1, of=2, message="as long as ours " * 15)
    event = Envelope(id="x" * 26, source="headrace/trainer", type="bench", time="2026-01-05T12:00:00Z", data=data)
    await broker.connect()
    start = time.perf_counter()
    for first in range(0, COUNT, 256):
        wave = range(min(256, COUNT - first))
        await asyncio.gather(*[broker.publish(event, SUBJECT, stream="FASTSTREAM") for _ in wave])
    print(COUNT / (time.perf_counter() - start))
    start = time.perf_counter()
    await broker.start()
    await done.wait()
    print(COUNT / (time.perf_counter() - start), flush=True)
    await broker.stop()


asyncio.run(main())
