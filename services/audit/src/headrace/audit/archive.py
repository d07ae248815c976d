"""Questions to the record: search, one event, and the way from a prediction back to the files behind it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.audit.domain import Chain, Event, dataset_sources, registered, require_steps
from headrace.audit.log import RECORD, REFERENCE, run
from headrace.audit.records import bare, microseconds
from headrace.chassis import NotFound
from headrace.tlog import event_digest

PARKED = "PARKED"
CLOCKS = 1_000_000  # microseconds by which the clocks of two speakers may differ
MOST = 10_000  # events of one reference that a trace reads
_COLUMNS = [column for name, column in RECORD.c.items() if name != "entry"]


@dataclass(frozen=True)
class Search:
    """What to look for; an absent field matches everything."""

    type: str | None = None  # a trailing * matches any ending
    key: str | None = None
    correlation: str | None = None
    actor: str | None = None
    stream: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def apply(self, query: Select[Any]) -> Select[Any]:
        """Narrow a query over records."""
        for name in ("key", "correlation", "actor", "stream"):
            if (value := getattr(self, name)) is not None:
                query = query.where(RECORD.c[name] == value)
        if self.type is not None:
            start, star, _ = self.type.partition("*")
            query = query.where(RECORD.c.type.startswith(start, autoescape=True) if star else RECORD.c.type == start)
        if self.since is not None:
            query = query.where(RECORD.c.at >= microseconds(self.since))
        if self.until is not None:
            query = query.where(RECORD.c.at < microseconds(self.until))
        return query


class Archive:
    """Reads recorded events."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def search(self, wanted: Search, before: int | None, limit: int) -> list[Event]:
        """Matching events, newest entry first, below the log index `before`."""
        query = wanted.apply(select(*_COLUMNS))
        if before is not None:
            query = query.where(RECORD.c.position < before)
        return await self._events(query.order_by(RECORD.c.position.desc()).limit(limit))

    async def event(self, event_id: str) -> Event:
        """One event; where a parked copy bears the same id, the original."""
        events = await self._events(select(*_COLUMNS).where(RECORD.c.id == event_id))
        if not events:
            raise NotFound(f"no event {event_id!r} is recorded")
        return min(events, key=lambda e: (e.stream == PARKED, e.index))

    async def at(self, index: int) -> tuple[Event, bytes, bytes]:
        """The event at a log index, its entry, and its bytes as they travelled."""
        query = select(*_COLUMNS, RECORD.c.entry).where(RECORD.c.position == index)
        row = (await run(self._session, query)).mappings().first()
        if row is None:
            raise NotFound(f"the log has no entry {index}")
        return _event(row), row["entry"], row["body"]

    async def size(self) -> int:
        """How many events are recorded."""
        return int((await run(self._session, select(func.count()).select_from(RECORD))).scalar_one())

    async def referring(self, kind: str, value: str) -> list[Event]:
        """Events that refer to something, oldest first."""
        joined = RECORD.join(
            REFERENCE,
            and_(REFERENCE.c.kind == kind, REFERENCE.c.value == value, REFERENCE.c.position == RECORD.c.position),
        )
        return await self._events(select(*_COLUMNS).select_from(joined).order_by(RECORD.c.position).limit(MOST))

    async def with_ids(self, ids: Collection[str]) -> list[Event]:
        """Events by their ids; parked copies left out."""
        query = select(*_COLUMNS).where(RECORD.c.id.in_(list(ids)), RECORD.c.stream != PARKED)
        return await self._events(query)

    async def _events(self, query: Select[Any]) -> list[Event]:
        return [_event(row) for row in (await run(self._session, query)).mappings()]

    async def trace_prediction(self, prediction_id: str) -> tuple[Event, list[Event], Chain]:
        """The logged prediction, the truths told about it, and the chain behind it."""
        about = await self.referring("prediction", bare(prediction_id))
        logged = next((event for event in about if event.is_a("prediction.logged")), None)
        if logged is None:
            raise NotFound(f"no prediction {bare(prediction_id)!r} is recorded")
        data = logged.data
        chain = await self.chain(data["model"], data["version"], digest=data["digest"], until=logged.at + CLOCKS)
        return logged, [event for event in about if event.is_a("request.truth")], chain

    async def trace_version(self, model: str, version: int) -> Chain:
        """The chain behind a model version."""
        chain = await self.chain(model, version)
        if not chain.events:
            raise NotFound(f"nothing is recorded of {model}/{version}")
        return chain

    async def chain(self, model: str, version: int, *, digest: str | None = None, until: int | None = None) -> Chain:
        """Version, run, data set, files; then the cause of every event among them, back to the first."""
        chain = Chain(model, version)
        chain.add(await self.referring("version", f"{model}/{version}"), until)
        if (event := registered(chain, digest)) is not None:
            assert chain.dataset is not None
            await self._add(chain, until, [("run", str(chain.run)), ("dataset", _dataset(chain.dataset))])
            await self._add(chain, until, [("declaration", f"{model}/{event.data.get('declared_revision')}")])
            require_steps(chain)
            await self._add(chain, until, [("file", sha256) for sha256 in dataset_sources(chain)])
        await self._causes(chain)
        return chain

    async def _add(self, chain: Chain, until: int | None, references: Iterable[tuple[str, str]]) -> None:
        for kind, value in references:
            chain.add(await self.referring(kind, value), until)

    async def _causes(self, chain: Chain) -> None:
        tried: set[str] = set()
        while unknown := chain.causes_unknown() - tried:
            tried |= unknown
            chain.events |= {event.index: event for event in await self.with_ids(unknown)}
        chain.missing += [f"event {event_id}, which caused another" for event_id in sorted(chain.causes_unknown())]


def _dataset(dataset: Any) -> str:
    return f"{dataset['name']}/{dataset['version']}"


def _event(row: Any) -> Event:
    return Event(
        index=row["position"],
        id=row["id"],
        type=row["type"],
        subject=row["subject"],
        key=row["key"],
        time=row["time"],
        authid=row["actor"],
        source=row["source"],
        correlationid=row["correlation"],
        causationid=row["causation"],
        trace_id=row["trace"],
        stream=row["stream"],
        seq=row["seq"],
        sha256=event_digest(row["body"]),
        at=row["at"],
        data=_data(row["body"]),
    )


def _data(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    data = parsed.get("data", parsed) if isinstance(parsed, dict) else {}
    return data if isinstance(data, dict) else {}
