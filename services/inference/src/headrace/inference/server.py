"""The composition root: settings -> write-ahead log, loader, model repository, inference service -> HTTP and broker."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, generate_latest

from headrace.bus import Connection, Follower, connect
from headrace.bus.tasks import cancel
from headrace.bus.trace import follow
from headrace.chassis import Dependency, chore, process
from headrace.chassis.auth import Gate
from headrace.chassis.dependencies import LOOK_EVERY, look_once
from headrace.chassis.every import Every
from headrace.chassis.limits import Limiter
from headrace.chassis.process import HttpServer, calm_collector
from headrace.chassis.restart import restarted
from headrace.contracts import Envelope, ReplicaLoaded, RouteChanged, derive_id, encode, wrap
from headrace.contracts.subjects import pattern, stream_of
from headrace.inference.app import App
from headrace.inference.auth_cache import AuthCache
from headrace.inference.fast import FastProtocol
from headrace.inference.handlers import on_route_changed
from headrace.inference.inference_service import InferenceService
from headrace.inference.key_uses import KeyUses
from headrace.inference.loader import Directories, Loader
from headrace.inference.log_relay import LogRelay
from headrace.inference.metrics import ReplicaCollector
from headrace.inference.model_repository import ModelRepository
from headrace.inference.pages import State
from headrace.inference.record import SOURCE
from headrace.inference.reports import Reporter
from headrace.inference.settings import InferenceSettings
from headrace.inference.wal import WriteAheadLog, WriteAheadLogFull
from headrace.objects import StoreAway, object_store

log = structlog.get_logger()

IDENTITY = "inference"
_SHIP_LEFT = 3.0  # seconds to ship what is left at the end; the rest waits on the disk


class Replica:
    """One inference process: what it is made of, and its health."""

    def __init__(self, settings: InferenceSettings, store: Directories | None = None) -> None:
        self.settings = settings
        cache = settings.cache_dir
        self.pool = ThreadPoolExecutor(settings.threads, "predict")
        self.wal = WriteAheadLog(cache / "wal", bound=settings.wal_mb << 20)
        self.log_relay = LogRelay(self.wal)
        directories = store or object_store(settings.objects)
        self.store = Dependency("objects", partial(directories.probe, "models"), (StoreAway,), vital=False)
        self.loader = Loader(
            directories,
            cache / "models",
            routed=lambda: self.repository.digests if self.informed else None,
            threads=settings.threads,
            ignore_unknown=settings.unknown_inputs == "ignore",
        )
        self.repository = ModelRepository(settings.replica, self.loader.load, self._say, cache / "routes")
        self.inference = InferenceService(
            settings.replica, self.wal, settings.log_policy, time_ahead=settings.time_ahead_s
        )
        self.refused: Counter[int] = Counter()
        self.problems: dict[str, str] = {}
        self.degraded: dict[str, str] = {}  # items of loops that wait, or fail, while everything else goes on
        self.connection: Connection | None = None
        self.informed = False
        """Whether the route tables are known: told by the broker, or remembered from before."""
        self._registry = CollectorRegistry()
        self._registry.register(
            ReplicaCollector(self.repository.stats, self._gauges(), self.refused, lambda: self.repository.tables)
        )
        self.gate = Gate.of(settings)
        self.key_uses = KeyUses(self.gate, cache / "key-use.json")
        self.app = App(
            self.inference,
            self.repository,
            AuthCache(self.gate, Limiter(settings.rate_limit, settings.rate_burst)),
            State(
                name="headrace",
                version=version("headrace-deployer"),
                ready=self.ready,
                details=self.details,
                metrics=lambda: generate_latest(self._registry),
                refused=self._count_refusal,
                keys=self.key_uses.shown,
            ),
            self.pool,
            largest_body=settings.max_request_mb << 20,
            secure=settings.http_tls_cert is not None,
            cors=settings.http_cors_origins,
        )

    def ready(self) -> bool:
        """Whether to send requests here: it knows its tables, every model answers or never will, and may answer.

        A broker that is away is no reason: predictions are answered and kept in the write-ahead log.
        """
        return self.informed and self.repository.answering and self.inference.open

    def details(self) -> Mapping[str, Any]:
        """What an operator wants to know beside yes or no."""
        connected = self.connection is not None and self.connection.connected
        return {
            "broker": "connected" if connected else "away; predictions are kept in the write-ahead log",
            "wal_bytes": self.wal.size,
            "log_policy": self.inference.policy,
            "problems": {
                **self.gate.problems(),
                **self.repository.troubles,
                **({"wal": self.log_relay.trouble} if self.log_relay.trouble else {}),
                **self.problems,
            },
            "degraded": {**self.repository.forgotten, **self.degraded},
            "models": {table.model: table.revision for table in self.repository.tables},
        }

    async def talk(self, connect_: Callable[[], Awaitable[Connection]]) -> None:
        """Everything that needs the broker, from the moment that it is there."""
        self.connection = connection = await connect_()
        reporter = Reporter(self.settings.replica, self.repository)
        loops: list[Every[Connection, Any]] = [self.log_relay.loop(), reporter.loop()]
        listening = restarted(partial(self._listen, connection), "routes", self.problems)
        await asyncio.gather(*(self._ticking(loop, connection) for loop in loops), listening)

    async def keep(self) -> None:
        """What goes on whether the broker is there or not."""
        look: Every[None, None] = chore(LOOK_EVERY, lambda _: look_once(self.store, self.degraded), name="look:objects")
        loops = [*self.gate.loops(), self.key_uses.loop(), look]
        await asyncio.gather(*(self._ticking(loop, None) for loop in loops))

    async def _ticking(self, loop: Every[Any, Any], context: object) -> None:
        await loop.in_memory(context, self.problems, self.degraded).run()

    async def close(self) -> None:
        """Ship what is left, as far as the broker takes it soon; the rest stays on the disk."""
        await self.repository.close()
        if self.connection is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SHIP_LEFT):
                    await self.log_relay.finish(self.connection)
            await self.connection.close()
        self.wal.close()
        self.key_uses.close()
        self.loader.close()
        self.pool.shutdown(wait=False, cancel_futures=True)

    async def _listen(self, connection: Connection) -> None:
        kind = RouteChanged.TYPE
        async with Follower(connection, stream_of(kind), pattern(kind)) as follower:
            caught_up = asyncio.create_task(self._await_tables(follower))
            async for message in follower:
                on_route_changed(message, self.repository, self.degraded)
            await cancel(caught_up)

    async def _await_tables(self, follower: Follower) -> None:
        await follower.caught_up.wait()
        await asyncio.sleep(0.05)  # what was delivered before that is applied
        self.informed = True

    def _say(self, fact: ReplicaLoaded, cause: Envelope) -> None:
        now = datetime.now(UTC)
        envelope = wrap(
            fact,
            source=SOURCE,
            id=derive_id(cause.id, fact.TYPE, f"{fact.replica}/{now.timestamp()}", fact.version),
            time=now,
            correlationid=cause.correlationid,
            causationid=cause.id,
            traceparent=follow(cause.traceparent) if cause.traceparent else None,
            authid=cause.authid,
        )
        try:
            self.wal.append(envelope.nats_subject, envelope.id, encode(envelope))
        except WriteAheadLogFull as full:
            log.error("replica_loaded_not_said", model=fact.model, version=fact.version, error=str(full))

    def _count_refusal(self, status: int) -> None:
        self.refused[status] += 1

    def _gauges(self) -> Mapping[str, tuple[str, Callable[[], float]]]:
        return {
            "headrace_inference_wal_bytes": ("Bytes that wait for the broker.", lambda: self.wal.size),
            "headrace_inference_logged": ("Events that the broker has taken.", lambda: self.log_relay.shipped),
            "headrace_inference_unlogged": (
                "Predictions answered but lost (best-effort).",
                lambda: self.inference.lost.count,
            ),
            "headrace_inference_broker_connected": (
                "Whether the broker is there.",
                lambda: float(self.connection is not None and self.connection.connected),
            ),
        }


@asynccontextmanager
async def running(
    settings: InferenceSettings, *, store: Directories | None = None, on_fatal: Callable[[str], None] = lambda _: None
) -> AsyncIterator[Replica]:
    """A started replica without its HTTP port."""
    replica = Replica(settings, store)
    replica.informed = replica.repository.recall() > 0

    closing = False

    def lost(why: str) -> None:
        if not closing:
            on_fatal(why)

    async def reach() -> Connection:
        return await connect(settings.bus(IDENTITY), name=f"headrace-{IDENTITY}", on_fatal=lost)

    talking = asyncio.create_task(restarted(partial(replica.talk, reach), "talking", replica.problems))
    keeping = asyncio.create_task(replica.keep())
    try:
        yield replica
    finally:
        closing = True
        await cancel(talking)
        await cancel(keeping)
        await replica.close()


async def serve(settings: InferenceSettings, on_fatal: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT; requests in hand are answered."""
    async with running(settings, on_fatal=on_fatal) as replica:
        server = http_server(replica)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.leave)
        calm_collector(50_000)
        log.info("started", replica=settings.replica, http=settings.http_address)
        await server.serve()
    log.info("stopped")


def http_server(replica: Replica) -> HttpServer:
    """The HTTP port of a replica, not yet open."""
    settings = replica.settings
    return process.http_server(replica.app, settings, protocol=FastProtocol, drain_s=settings.drain_s)
