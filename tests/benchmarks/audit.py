"""The audit log: appending provably, and proving inclusion among 1,000,000 entries (SQLite, FULL)."""

import asyncio
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import Bench
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.audit.domain import Event
from headrace.audit.log import Log
from headrace.audit.records import describe
from headrace.bus import RawMessage
from headrace.chassis.database import create_engine
from headrace.contracts import TrainingProgressed, encode, wrap
from headrace.testkit.builders import a
from headrace.tlog import SigningKey, inclusion_proof

ENTRIES, BATCH, PROOFS = 1_000_000, 500, 500
APPEND, PROVE, MEMORY = "append, signed, one commit a batch of 500", "inclusion proof at 1,000,000", "memory grown"


def run() -> Bench:
    """Measure; nobody else offers this, so the targets are bounds: 5,000 entries/s, 2 ms."""
    bench = Bench("audit")
    with TemporaryDirectory() as folder:
        asyncio.run(_run(bench, Path(folder)))
    return bench


async def _run(bench: Bench, folder: Path) -> None:
    engine = create_engine(f"sqlite+aiosqlite:///{folder}/audit.db")
    async with engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
    key = SigningKey("headrace.example/bench", bytes(32))
    rates, before = [], 0
    for number, records in enumerate(_batches()):
        start = time.perf_counter()
        async with AsyncSession(engine) as session, session.begin():
            await Log(session, key).append(records)
        rates.append(len(records) / (time.perf_counter() - start))
        before = before or (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if number == 100 else 0)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    tenth = len(rates) // 10
    first, last = statistics.median(rates[:tenth]), statistics.median(rates[-tenth:])
    bench.add(APPEND, "headrace", "/s", rates, first_tenth=first, last_tenth=last)
    bench.add(MEMORY, "headrace", "MB", [grown])
    proofs = [await _proved(engine, key, at) for at in range(0, ENTRIES, ENTRIES // PROOFS)]
    bench.add(PROVE, "headrace", "ms", proofs, p99=statistics.quantiles(proofs, n=100)[98])
    await engine.dispose()


async def _proved(engine: AsyncEngine, key: SigningKey, at: int) -> float:
    """Milliseconds for one proof, its reading included."""
    start = time.perf_counter()
    async with AsyncSession(engine) as session:
        proof = await Log(session, key).prove(lambda tiles: inclusion_proof(tiles, at, ENTRIES))
    assert len(proof) >= 19
    return (time.perf_counter() - start) * 1000


def _batches() -> Iterator[Sequence[Event]]:
    """Events as the trainer says them; describing them is part of no figure."""
    moment = datetime(2026, 1, 5, 12, tzinfo=UTC)
    template = encode(wrap(a(TrainingProgressed, model="bench"), source="headrace/trainer", id="EVENT", time=moment))
    subject = "headrace.training.progressed.bench"
    for first in range(1, ENTRIES, BATCH):
        yield [
            describe(RawMessage("EVENTS", seq, subject, {}, template.replace(b"EVENT", b"e%d" % seq), moment))
            for seq in range(first, first + BATCH)
        ]
