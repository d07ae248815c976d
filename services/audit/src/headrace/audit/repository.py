"""Questions to the record: search, one event, and the way from a prediction back to the files behind it.

Columns only find; what is shown is derived from the message's own bytes, and compared with its entry and the entry's
hash in the tree. An event that does not fit says so itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.audit.checks import OF_THE_ENTRY, columns_unlike, derived
from headrace.audit.domain import (
    Chain,
    Event,
    answer_with,
    is_truth_of,
    learned_from,
    registered,
    require_steps,
    tell_files,
)
from headrace.audit.log import RECORD, REFERENCE, TILE, as_bytes, run
from headrace.audit.records import clamped
from headrace.chassis import NotFound
from headrace.contracts.names import bare
from headrace.tlog import TILE_WIDTH, Entry, event_digest, leaf_hash
from headrace.tlog.tiles import HASH_SIZE

PARKED = "PARKED"
INGESTED = "headrace.dataset.ingested."
CLOCKS = 1_000_000  # microseconds by which the clocks of two speakers may differ
MOST = 10_000  # events of one reference that a trace reads
_COLUMNS = list(RECORD.c)
Leaves = Mapping[int, bytes]


@dataclass(frozen=True)
class Search:
    """What to look for; an absent field matches everything."""

    type: str | None = None  # a trailing * matches any ending
    key: str | None = None
    correlationid: str | None = None
    authid: str | None = None
    stream: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def apply(self, query: Select[Any]) -> Select[Any]:
        """Narrow a query over records."""
        for name in ("key", "correlationid", "authid", "stream"):
            if (value := getattr(self, name)) is not None:
                query = query.where(RECORD.c[name] == value)
        if self.type is not None:
            start, star, _ = self.type.partition("*")
            query = query.where(RECORD.c.type.startswith(start, autoescape=True) if star else RECORD.c.type == start)
        if self.since is not None:
            query = query.where(RECORD.c.at >= clamped(self.since))
        if self.until is not None:
            query = query.where(RECORD.c.at < clamped(self.until))
        return query


class Repository:
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
        """One event; where a dead letter bears the same id, the original."""
        events = await self._events(select(*_COLUMNS).where(RECORD.c.id == event_id))
        if not events:
            raise NotFound(f"no event {event_id!r} is recorded")
        return min(events, key=lambda e: (e.stream == PARKED, e.index))

    async def at(self, index: int) -> tuple[Event, bytes, bytes]:
        """The event at a log index, its entry, and its bytes as they travelled."""
        row = await self._row(index)
        if row is None:
            raise NotFound(f"the log has no entry {index}; GET /verify says whether it should have one")
        return event_of(row, await self._leaves([index])), as_bytes(row["entry"]), as_bytes(row["body"])

    async def _row(self, index: int) -> Any:
        query = select(*_COLUMNS).where(RECORD.c.position == index)
        return (await run(self._session, query)).mappings().first()

    async def _leaves(self, positions: Iterable[int]) -> Leaves:
        """The leaf hashes that the tree holds of these entries."""
        wanted = sorted({position // TILE_WIDTH for position in positions})
        query = select(TILE.c.number, TILE.c.hashes).where(TILE.c.level == 0, TILE.c.number.in_(wanted))
        return {
            row.number * TILE_WIDTH + at: row.hashes[at * HASH_SIZE : (at + 1) * HASH_SIZE]
            for row in await run(self._session, query)
            for at in range(len(row.hashes) // HASH_SIZE)
        }

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

    async def _ingested(self, dataset: str, versions: Iterable[int]) -> list[Event]:
        """The events that told of some versions of a dataset."""
        wanted = [f"{dataset}/{version}" for version in versions]
        joined = RECORD.join(
            REFERENCE,
            and_(
                REFERENCE.c.kind == "dataset",
                REFERENCE.c.value.in_(wanted),
                REFERENCE.c.position == RECORD.c.position,
                RECORD.c.type.startswith(INGESTED, autoescape=True),
            ),
        )
        return await self._events(select(*_COLUMNS).select_from(joined).limit(MOST))

    async def with_ids(self, ids: Collection[str]) -> list[Event]:
        """Events by their ids; dead letters left out."""
        query = select(*_COLUMNS).where(RECORD.c.id.in_(list(ids)), RECORD.c.stream != PARKED)
        return await self._events(query)

    async def _events(self, query: Select[Any]) -> list[Event]:
        rows = (await run(self._session, query)).mappings().all()
        leaves = await self._leaves(row["position"] for row in rows)
        return [event_of(row, leaves) for row in rows]

    async def trace_prediction(self, prediction_id: str) -> tuple[Event, list[Event], Chain]:
        """The logged prediction, the truths told about it, and the chain behind it.

        Raises NotFound where there is no such prediction, or its answer has no such row.
        """
        wanted, about = bare(prediction_id), await self.referring("prediction", bare(prediction_id))
        logged = answer_with(prediction_id, [event for event in about if event.is_a("prediction.logged")])
        if logged is None:
            raise NotFound(f"no prediction {wanted!r} is recorded")
        data = logged.data
        chain = await self.chain(data["model"], data["version"], digest=data["digest"], until=logged.at + CLOCKS)
        truths = [event for event in about if is_truth_of(event, data["model"], prediction_id)]
        return logged, truths, chain

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
        if registered(chain, digest) is not None and chain.dataset is not None:
            run = [("run", chain.run)] if chain.run is not None else []
            run += [("import", chain.import_id)] if chain.import_id is not None else []
            await self._add(chain, until, [*run, ("dataset", _dataset(chain.dataset))])
            await self._add(chain, until, [("declaration", f"{model}/{chain.revision}")])
            require_steps(chain)
            versions = learned_from(chain)
            chain.add(await self._ingested(chain.dataset["name"], versions), until)
            tell_files(chain, versions)
        chain.settle_routes()
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


def event_of(row: Any, leaves: Leaves) -> Event:
    """A row as it is shown: what its message says; `altered` names what of the row, or of the log, says otherwise."""
    index = row["position"]
    try:
        entry = Entry.decode(row["entry"])
        event = derived(row, entry.received)
    except (ValueError, TypeError):
        return replace(_unread(row), index=index, altered=("entry",))
    names = [*entry.differences(event.entry), *(name for name, _, _ in columns_unlike(row, entry, event))]
    if leaves.get(index) != leaf_hash(as_bytes(row["entry"])):
        names.append("entry")
    return replace(event, index=index, altered=tuple(dict.fromkeys(names)))


def _unread(row: Any) -> Event:
    """What the columns say, where the entry or the message cannot be read."""
    own = {name: row[name] for name in OF_THE_ENTRY}
    rest = {name: row[name] for name in ("key", "at", "correlationid", "causationid", "authid", "trace_id")}
    body = as_bytes(row["body"])
    return Event(entry=Entry(**own, sha256=event_digest(body)), body=body, headers=as_bytes(row["headers"]), **rest)
