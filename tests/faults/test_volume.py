"""A million events through one service: its memory stays flat, and its database grows by what is remembered alone.

`HEADRACE_EVENTS` sets another number; the table says how many there were.
"""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from headrace.bus import Connection, Publisher, connect
from headrace.bus.prune import EVERY_S, KEEP_ROWS
from headrace.contracts import AliasMoved, Envelope, wrap
from headrace.testkit.broker import Broker, serving
from headrace.testkit.builders import a

EVENTS = int(os.environ.get("HEADRACE_EVENTS", "1000000"))
MODELS, AHEAD, CHUNK = 100, 20_000, 2_000
FLAT = 1.25  # a later peak over the peak of the first fifth
ROW_BYTES, MARK_BYTES = 2_000, 80  # of an inbox and an outbox row together; of a mark with its index
SLACK_S = 60.0  # a pruning round takes a while itself


@dataclass
class Sample:
    """One look at the service."""

    at: float
    handled: int
    memory: int  # bytes
    database: int  # bytes, with its write-ahead log
    rows: int  # of inbox and outbox


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_memory_is_flat_and_the_database_bounded(tmp_path: Path, row: Callable[[str], Any]) -> None:
    """Every event counts once, one event follows each, and what is kept of them is what the rules of pruning say."""
    async with serving(tmp_path / "nats") as broker:
        with counting(broker, tmp_path) as service:
            samples = await poured(broker, tmp_path / "counted.db", psutil.Process(service.pid))
        counted, followed = total(tmp_path / "counted.db"), await said(broker)

    line, rate = row("many events through one service"), EVENTS / (samples[-1].at - samples[0].at)
    first = max(each.memory for each in samples if each.handled <= EVENTS / 5)
    last = samples[-1]
    line.trials, line.events = 1, EVENTS
    line.lost, line.doubled = max(0, EVENTS - min(counted, followed)), max(0, max(counted, followed) - EVENTS)
    line.note = (
        f"memory {first >> 20} MB at a fifth, {max(s.memory for s in samples) >> 20} MB at most; "
        f"database {last.database / 2**20:.0f} MB with {last.rows:,} rows and {last.handled:,} ids known"
    )
    kept_s = KEEP_ROWS.total_seconds() + EVERY_S + SLACK_S
    assert (line.lost, line.doubled) == (0, 0)
    assert max(each.memory for each in samples) < FLAT * first, line.note
    assert all(each.rows <= 2.5 * rate * kept_s + 10_000 for each in samples), line.note
    assert last.database < ROW_BYTES * rate * kept_s + MARK_BYTES * EVENTS + 50 * 2**20, line.note


@contextmanager
def counting(broker: Broker, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The service as a process of its own."""
    told = [broker.url, str(broker.seed_file("deployer")), str(folder / "counted.db")]
    quiet = {**os.environ, "HEADRACE_LOG_LEVEL": "warning"}
    with (folder / "log").open("wb") as out:
        program = [sys.executable, str(Path(__file__).with_name("counting.py")), *told]
        process = subprocess.Popen(program, stdout=out, stderr=out, env=quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


async def poured(broker: Broker, database: Path, service: psutil.Process) -> list[Sample]:
    """Publish as fast as the service follows, looking at it once a second, until all is handled and pruned."""
    connection = await connect(broker.settings("registry"), name="pouring")
    admin = await connect(broker.settings("provisioner"), name="looking")
    samples: list[Sample] = []
    sent = 0
    while not samples or samples[-1].handled < EVENTS:
        handled = await acknowledged(admin)
        if sent < EVENTS and sent - handled < AHEAD:
            await Publisher(connection).publish_window([move(n) for n in range(sent, min(EVENTS, sent + CHUNK))])
            sent = min(EVENTS, sent + CHUNK)
        else:
            await asyncio.sleep(0.05)
        if handled and (not samples or time.monotonic() - samples[-1].at > 1 or handled == EVENTS):
            samples.append(look(database, service, handled))
    await connection.close()
    await admin.close()
    return samples


async def acknowledged(admin: Connection) -> int:
    """How many events the service is done with."""
    info = await admin.request("CONSUMER.INFO.EVENTS.deployer")
    left = int(info["num_pending"]) + int(info["num_ack_pending"])
    return await moves(admin) - left


async def moves(admin: Connection) -> int:
    """How many events were published for the service."""
    found = await admin.request("STREAM.INFO.EVENTS", {"subjects_filter": "headrace.alias.>"})
    return sum(found["state"].get("subjects", {}).values())


def look(database: Path, service: psutil.Process, handled: int) -> Sample:
    """Its memory and its tables."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as found:
        rows = sum(found.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("inbox", "outbox"))
    size = sum(each.stat().st_size for each in database.parent.glob(f"{database.name}*"))
    return Sample(time.monotonic(), handled, service.memory_info().rss, size, rows)


def move(number: int) -> Envelope:
    """One event."""
    event = a(AliasMoved, model=f"m{number % MODELS}", alias="champion")
    return wrap(event, source="headrace/registry", id=f"move-{number}", time=datetime.now(UTC))


def total(database: Path) -> int:
    """How many were counted."""
    with closing(sqlite3.connect(database)) as found:
        return int(found.execute("SELECT sum(n) FROM counted").fetchone()[0])


async def said(broker: Broker) -> int:
    """How many events followed."""
    admin = await connect(broker.settings("provisioner"), name="looking")
    found = await admin.request("STREAM.INFO.EVENTS", {"subjects_filter": "headrace.rollout.completed.>"})
    await admin.close()
    return sum(found["state"].get("subjects", {}).values())
