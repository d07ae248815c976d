"""Which version answers for which model: learnt from `route.changed`, brought about in the background, swapped whole.

A table takes effect when every version that it names is loaded; until then the old one answers, so no request fails
during a change. Whoever still answers with an old version keeps it in memory until done.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from headrace.bus.trace import trace_id
from headrace.contracts import ContractError, Envelope, ReplicaLoaded, Route, RouteChanged, decode, encode
from headrace.faults import point
from headrace.inference import protocol
from headrace.inference.errors import NotLoaded, Refusal, Unknown
from headrace.inference.route_table import Loaded, RoutedVersion, RouteTable
from headrace.inference.stats import Stats
from headrace.inference.tensors import BadInput

log = structlog.get_logger()

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds between attempts while the object store is away

Load = Callable[[str, Route], Awaitable[Loaded]]
"""Loads a version of a model; raises Refusal where it never will, anything else where it may later."""
Say = Callable[[ReplicaLoaded, Envelope], None]
"""Says a fact, caused by an envelope."""


@dataclass
class _Model:
    """What is wanted of one model, and how far it is."""

    wanted: Envelope
    table: RouteTable | None = None
    trouble: str | None = None
    new: dict[tuple[int, str], int] = field(default_factory=dict)
    """Versions that the replica owes a word about, with the revision that named them first."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    settled: bool = False
    """Whether the wanted table was tried to its end."""


class ModelRepository:
    """The tables of all models."""

    def __init__(self, replica: str, load: Load, say: Say, memory: Path) -> None:
        self._replica = replica
        self._load = load
        self._say = say
        self._memory = memory
        self._models: dict[str, _Model] = {}
        self.stats: dict[tuple[str, int, str], Stats] = {}
        """Counts by model, version and role; they outlive the tables, since counters only grow."""
        self.infer_paths: dict[bytes, str] = {}
        self.forgotten: dict[str, str] = {}
        """Tables that could not be written down: they are in effect, and missing after a start without the broker."""

    # asked by the application

    def table(self, model: str) -> RouteTable:
        """Who answers for a model; raises Unknown, NotLoaded."""
        entry = self._entry(model)
        if entry.table is None:
            raise NotLoaded(f"model {model!r} is not loaded yet{f': {entry.trouble}' if entry.trouble else ''}")
        return entry.table

    def only(self, model: str | None) -> str:
        """The model named, or the only one there is."""
        if model is not None:
            return model
        if len(self._models) == 1:
            return next(iter(self._models))
        raise BadInput(f"say which model with ?model=NAME; served here: {', '.join(sorted(self._models)) or 'none'}")

    def described(self, model: str, version: int | None) -> dict[str, Any]:
        """The metadata of a model or one of its versions."""
        table = self.table(model)
        routed = table.any() if version is None else table.version(version)
        known = sorted({s.loaded.version for s in table.routed_versions})
        if routed is None:
            raise Unknown(f"model {model!r} has no version {version} here; loaded: {', '.join(map(str, known))}")
        loaded, shown = routed.loaded, known if version is None else [routed.loaded.version]
        return protocol.described(model, shown, loaded.interface, loaded.platform)

    def ready(self, model: str, version: int | None) -> bool:
        """Whether a model, or one of its versions, answers here."""
        table = self._entry(model).table
        routed = None if table is None else table.any() if version is None else table.version(version)
        return routed is not None and routed.loaded.problem is None

    def index(self) -> list[dict[str, str]]:
        """Every version that is routed, with its state, as the index of a model repository lists them."""
        return [each for model in sorted(self._models) for each in self._indexed(model, self._models[model])]

    def _indexed(self, model: str, entry: _Model) -> Iterator[dict[str, str]]:
        for route in _routes(entry.wanted):
            held = _held(entry.table, route)
            problem = held.loaded.problem if held else entry.trouble or "it is being loaded"
            ready, reason = problem is None, problem or ""
            state = "READY" if ready else "UNAVAILABLE"
            yield {"name": model, "version": str(route.version), "state": state, "reason": reason}

    @property
    def tables(self) -> list[RouteTable]:
        """Every table in effect."""
        return [entry.table for entry in self._models.values() if entry.table is not None]

    @property
    def settled(self) -> bool:
        """Whether every table was tried to its end: loaded, or refused for good."""
        return all(entry.settled for entry in self._models.values())

    @property
    def answering(self) -> bool:
        """Whether every model answers, by the table before the last where that cannot be loaded yet, or never will."""
        return all(entry.settled or entry.table is not None for entry in self._models.values())

    @property
    def digests(self) -> frozenset[str]:
        """Every version that a table names or that still answers."""
        wanted = {route.digest for entry in self._models.values() for route in _routes(entry.wanted)}
        return frozenset(wanted | {routed.loaded.digest for table in self.tables for routed in table.routed_versions})

    @property
    def troubles(self) -> Mapping[str, str]:
        """What keeps models from the table that is wanted, and versions that are loaded from answering."""
        failing = {table.model: problem for table in self.tables if (problem := table.problem)}
        return {**failing, **{model: entry.trouble for model, entry in self._models.items() if entry.trouble}}

    # told by the stream

    def apply(self, envelope: Envelope) -> None:
        """A model's table changed: bring it about in the background. The stream's order decides, not the revision."""
        changed = envelope.data
        assert isinstance(changed, RouteChanged)
        entry = self._models.get(changed.model)
        if entry is None:
            entry = self._models[changed.model] = _Model(envelope)
            self._shorten(changed.model, None)
            entry.new = _named(changed, changed.revision)
        elif entry.wanted.id == envelope.id:
            return
        else:
            before = _named(entry.wanted.data, 0)
            entry.new = {
                k: entry.new.get(k, changed.revision) for k in _named(changed, 0) if k in entry.new or k not in before
            }
        entry.wanted, entry.settled = envelope, False
        self._remember(envelope)
        entry.changed.set()
        if entry.task is None:
            entry.task = asyncio.create_task(self._follow(changed.model, entry))

    def recall(self) -> int:
        """Take up the tables that an earlier process saw last, for a start without the broker."""
        for path in sorted(self._memory.glob("*.json")):
            with contextlib.suppress(ContractError, OSError):
                self.apply(decode(path.read_bytes()))
        return len(self._models)

    async def close(self) -> None:
        """Stop loading, and end the processes of models."""
        for loaded in (routed.loaded for table in self.tables for routed in table.routed_versions):
            if loaded.pool is not None:
                loaded.close()
        tasks = [entry.task for entry in self._models.values() if entry.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # bringing it about

    async def _follow(self, model: str, entry: _Model) -> None:
        """Bring about whatever is wanted last, one table at a time."""
        while True:
            await entry.changed.wait()
            entry.changed.clear()
            wait = FIRST_WAIT
            while not await self._attempted(model, entry) and not entry.changed.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(entry.changed.wait(), wait * random.uniform(0.8, 1.2))
                wait = min(LONGEST_WAIT, wait * 2)

    async def _attempted(self, model: str, entry: _Model) -> bool:
        """One attempt; where it fails by a mistake of ours, this model waits and is tried again, and is named."""
        try:
            return await self._attempt(model, entry)
        except Exception as error:
            entry.trouble = f"its table cannot take effect: {error or type(error).__name__}"
            log.exception("table_failed", model=model)
            return False

    async def _attempt(self, model: str, entry: _Model) -> bool:
        """Load what the wanted table names and swap; False where it is worth trying again."""
        envelope = entry.wanted
        changed = envelope.data
        assert isinstance(changed, RouteChanged)
        routed_versions, again, refused = [], False, False
        for route in changed.routes:
            try:
                routed_versions.append(await self._slot(model, entry, envelope, route))
            except Refusal as error:
                refused = True
                entry.trouble = f"version {route.version}: {error}"
            except Exception as error:  # whatever the object store or the disk raised: it may pass
                again = True
                entry.trouble = f"version {route.version}: {error or type(error).__name__}"
                log.warning("load_failed", model=model, version=route.version, error=entry.trouble)
        if entry.wanted is not envelope:
            return True
        point("inference.loaded")
        self._swap(model, entry, changed, routed_versions, whole=not (again or refused))
        entry.settled = not again
        return not again

    async def _slot(self, model: str, entry: _Model, cause: Envelope, route: Route) -> RoutedVersion:
        held = _held(entry.table, route)
        started = time.perf_counter()
        try:
            loaded = held.loaded if held else await self._load(model, route)
        except Refusal as refusal:
            self._tell(entry, cause, route, time.perf_counter() - started, str(refusal))
            raise
        head = {"model_name": model, "model_version": str(route.version)}
        stats = self.stats.setdefault((model, route.version, route.role), Stats())
        routed = RoutedVersion(loaded, route.role, route.percent, head, stats)
        self._tell(entry, cause, route, time.perf_counter() - started, None)
        return routed

    def _swap(
        self, model: str, entry: _Model, changed: RouteChanged, routed_versions: list[RoutedVersion], *, whole: bool
    ) -> None:
        if whole:
            entry.table = RouteTable.of(model, changed.revision, routed_versions) if routed_versions else None
            entry.trouble = None if routed_versions else "no version is approved to serve"
        elif entry.table is None and routed_versions:
            # Better some of the versions than none; the rest follows when it can be loaded.
            entry.table = RouteTable.of(model, changed.revision, routed_versions)
        else:
            return
        self._shorten(model, entry.table)
        for routed in routed_versions:
            routed.stats.watched = bool(entry.table and entry.table.rolling)
        summary = [f"{s.role} {s.loaded.version} {s.percent}%" for s in routed_versions]
        trace = trace_id(entry.wanted.traceparent)
        log.info("table_swapped", model=model, revision=changed.revision, routes=summary, trace_id=trace)

    def _shorten(self, model: str, table: RouteTable | None) -> None:
        """The short cut answers in the loop's thread: it is closed to what answers in processes."""
        path = f"/v2/models/{model}/infer".encode()
        if table is not None and table.pool is not None:
            self.infer_paths.pop(path, None)
        else:
            self.infer_paths[path] = model

    def _tell(self, entry: _Model, cause: Envelope, route: Route, seconds: float, error: str | None) -> None:
        """Say once for each appearance of a version whether it is loaded."""
        revision = entry.new.pop((route.version, route.digest), None)
        if revision is None:
            return
        changed = cause.data
        fact = ReplicaLoaded(
            replica=self._replica,
            model=cause.subject,
            version=route.version,
            digest=route.digest,
            revision=getattr(changed, "revision", revision),
            ok=error is None,
            error=error,
            seconds=round(seconds, 4),
        )
        self._say(fact, cause)
        log.info(
            "version_loaded" if error is None else "version_refused",
            model=cause.subject,
            version=route.version,
            ms=round(seconds * 1000, 2),
            error=error,
            trace_id=trace_id(cause.traceparent),
        )

    def _entry(self, model: str) -> _Model:
        entry = self._models.get(model)
        if entry is None:
            known = ", ".join(sorted(self._models)) or "none"
            raise Unknown(f"no model {model!r} is served here; served: {known}")
        return entry

    def _remember(self, envelope: Envelope) -> None:
        """Write a table down for a start without the broker; a full disk keeps no table from its effect."""
        name = f"routes/{envelope.subject}"
        self.forgotten.pop(name, None)
        try:
            self._write(envelope)
        except OSError as error:
            self.forgotten[name] = f"not written down for a start without the broker: {error}"
            log.warning("table_not_written", model=envelope.subject, error=str(error))

    def _write(self, envelope: Envelope) -> None:
        self._memory.mkdir(parents=True, exist_ok=True)
        path = self._memory / f"{envelope.subject}.json"
        fresh = path.with_suffix(".new")
        fresh.write_bytes(encode(envelope))
        fresh.replace(path)


def _named(changed: Any, revision: int) -> dict[tuple[int, str], int]:
    return {(route.version, route.digest): revision for route in changed.routes}


def _routes(envelope: Envelope) -> Sequence[Route]:
    assert isinstance(envelope.data, RouteChanged)
    return envelope.data.routes


def _held(table: RouteTable | None, route: Route) -> RoutedVersion | None:
    """The routed version that has this version already."""
    if table is None:
        return None
    return next(
        (s for s in table.routed_versions if (s.loaded.version, s.loaded.digest) == (route.version, route.digest)), None
    )
