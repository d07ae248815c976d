"""A log in a real database, fed without a broker."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from headrace.audit import tables
from headrace.audit.checks import verify
from headrace.audit.handlers import on_messages
from headrace.audit.log import table
from headrace.bus import RawMessage, Store, UnitOfWork
from headrace.bus.tables import Outbox
from headrace.tlog import SigningKey, Verdict

KEY = SigningKey("test-log", b"k" * 32)
START = datetime(2026, 1, 1, tzinfo=UTC)
OWN = [
    row for row in vars(tables).values() if isinstance(row, type) and issubclass(row, SQLModel) and row is not SQLModel
]


def message(
    seq: int, *, stream: str = "EVENTS", kind: str = "dataset.ingested", key: str = "flights", **rest: Any
) -> RawMessage:
    """One event as it lies in a stream; `data` and envelope attributes by keyword."""
    attributes = {
        name: rest.pop(name) for name in list(rest) if name in ("id", "authid", "causationid", "correlationid", "time")
    }
    body = {
        "specversion": "1.0",
        "id": f"{stream}-{seq}",
        "source": "headrace/test",
        "type": f"headrace.{kind}.v1",
        "subject": key,
        "time": (START + timedelta(seconds=seq)).isoformat(),
        "data": rest.pop("data", {}),
    } | attributes
    return RawMessage(stream, seq, f"headrace.{kind}.{key}", {}, json.dumps(body).encode(), START)


@dataclass
class LogUnderTest:
    """What a test does with a log: feed it, look at it, tamper with it."""

    store: Store
    now: datetime = START
    done: int = 0

    @staticmethod
    def message(seq: int, **attributes: Any) -> RawMessage:
        """One event as it lies in a stream."""
        return message(seq, **attributes)

    async def hear(self, *messages: RawMessage) -> UnitOfWork:
        """Record a batch, as the batch subscription does."""
        async with self.store.write() as session:
            work = UnitOfWork(
                session, "audit", "service:audit", self.now, f"root-{messages[0].stream}-{messages[0].seq}"
            )
            await on_messages(messages, work, key=KEY)
            return work

    async def hear_many(self, count: int, batch: int = 100) -> None:
        """Record `count` plain events."""
        for start in range(1, count + 1, batch):
            await self.hear(*(message(seq) for seq in range(start, min(start + batch, count + 1))))

    async def do(self, act: Callable[[UnitOfWork], Any]) -> Any:
        """Run something in a transaction of its own."""
        self.done += 1
        async with self.store.write() as session:
            return await act(UnitOfWork(session, "audit", "service:audit", self.now, f"root-{self.done}"))

    async def tamper(self, statement: Any) -> None:
        """Change the tables behind the service's back."""
        async with self.store.write() as session:
            await session.execute(statement)

    async def verify(self) -> Verdict:
        """Check everything."""
        return await verify(self.store.read, KEY)

    async def said(self) -> list[dict[str, Any]]:
        """Events said so far."""
        async with self.store.read() as session:
            rows = (await session.execute(table(Outbox).select())).mappings().all()
        return [json.loads(row["body"]) for row in rows]


@pytest.fixture
async def log(database_url: str) -> AsyncIterator[LogUnderTest]:
    """An empty log in each kind of database."""
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        wanted = [table(row) for row in (*OWN, Outbox)]
        await connection.run_sync(lambda sync: SQLModel.metadata.create_all(sync, tables=wanted))
    yield LogUnderTest(Store(engine))
    await engine.dispose()
