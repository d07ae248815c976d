"""`faststream_defaults.py URL SEED_FILE DATABASE`: the same on FastStream, as its documentation begins.

Run by the peer's own interpreter.
"""

import asyncio
import sqlite3
import sys
from typing import Any

from faststream import FastStream
from faststream.nats import ConsumerConfig, JStream, NatsBroker, PullSub

URL, SEED, DATABASE = sys.argv[1:4]
TRIED: set[str] = set()

broker = NatsBroker(URL, nkeys_seed=SEED, max_reconnect_attempts=-1)
database = sqlite3.connect(DATABASE, check_same_thread=False)
database.execute("CREATE TABLE IF NOT EXISTS effect (name TEXT)")


@broker.subscriber(
    "headrace.alias.moved.*",
    stream=JStream(name="EVENTS", declare=False),
    durable="faststream",
    pull_sub=PullSub(batch_size=10),
    config=ConsumerConfig(ack_wait=10),
)
async def handle(event: dict[str, Any]) -> None:
    """A row, and an event that follows."""
    name = event["data"]["model"]
    database.execute("INSERT INTO effect VALUES (?)", (name,))
    if name.endswith("7") and name not in TRIED:  # what fails once would succeed the next time
        TRIED.add(name)
        database.rollback()
        raise ConnectionError("a neighbour is away for a moment")
    database.commit()
    await broker.publish(event, f"headrace.rollout.completed.{name}", stream="EVENTS")


asyncio.run(FastStream(broker).run())
