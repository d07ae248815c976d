"""What an append costs: the same after many as at the beginning. `make bench BENCH=append` measures the time of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event

from headrace.contracts import DatasetIngested, ObjectRef, encode
from headrace.ingest.manifest import FAN
from headrace.ingest.pipeline import Ingestion, Task, spool
from headrace.objects import ObjectStore
from headrace.testkit import Harness
from headrace.testkit.s3 import S3

pytestmark = pytest.mark.resilience

BLOCK = FAN * FAN  # appends that are compared: as many full nodes of two levels in each
BLOCKS = 3


class Counting(ObjectStore):
    """A store that counts what is written and how often it is asked."""

    written = asked = 0

    async def put(self, *args: Any, **told: Any) -> ObjectRef:
        """Write once."""
        ref = await super().put(*args, **told)
        self.written, self.asked = self.written + ref.size, self.asked + 1
        return ref

    async def get(self, ref: ObjectRef) -> bytes:
        """Read."""
        self.asked += 1
        return await super().get(ref)


@dataclass
class Cost:
    """Of one append, or of many."""

    written: int = 0
    asked: int = 0
    statements: int = 0


async def test_the_last_appends_cost_what_the_first_did(on: Harness, s3: S3, tmp_path: Path) -> None:
    """Bytes written, requests to the store, statements and the event's size: flat, with ids that never come again."""
    store, costs = Counting(s3.settings), list[Cost]()
    ingestion = Ingestion(store, on.app.state.runtime.service.provides[Ingestion].options, tmp_path)
    statements = counted(on)
    for number in range(BLOCK * BLOCKS):
        before = Cost(store.written, store.asked, len(statements))
        await append(on, ingestion, tmp_path, number)
        costs.append(
            Cost(store.written - before.written, store.asked - before.asked, len(statements) - before.statements)
        )
    await on.quiet()

    first, last = costs[:BLOCK], costs[-BLOCK:]
    for name, most in (("written", 1.3), ("asked", 1.05), ("statements", 1.2)):
        ratio = sum(getattr(cost, name) for cost in last) / sum(getattr(cost, name) for cost in first)
        assert ratio < most, f"{name}: the last {BLOCK} appends cost {ratio:.2f} times what the first {BLOCK} did"
    sizes = [len(encode(each)) for each in on.all(DatasetIngested)]
    assert len(sizes) == BLOCK * BLOCKS
    assert np.mean(sizes[-BLOCK:]) < 1.02 * np.mean(sizes[:BLOCK])


async def append(on: Harness, ingestion: Ingestion, folder: Path, number: int) -> None:
    """One file of 20 rows with numbers, a category, and ids of their own."""
    rng = np.random.default_rng(number)

    async def content() -> AsyncIterator[bytes]:
        rows = (f"id-{number:05}-{row:02},{rng.normal():.3f},{row % 3}\n" for row in range(20))
        yield b"id,x,kind\n" + "".join(rows).encode()

    with ingestion.workspace() as place:
        file = await spool(content(), Path(place, "source"))
        answer = await ingestion.ingest(on.app.state.runtime, Task("flights", "append", "key:anna"), file)
    assert answer.version == number + 1


def counted(on: Harness) -> list[str]:
    """Every statement on the service's tables from now on; those of delivery have a pace of their own."""
    found: list[str] = []

    @event.listens_for(on.app.state.runtime.store.engine.sync_engine, "before_cursor_execute")
    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "dataset_" in statement:
            found.append(statement)

    return found
